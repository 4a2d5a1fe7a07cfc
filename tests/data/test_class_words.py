"""Words that say good or defective, in any language and spelling."""

from __future__ import annotations

import pytest

from blemish.data.class_words import class_of, classes_of, is_class_alone
from blemish.data.entries import ANOMALOUS, ANOMALOUS_NAMES, NORMAL, NORMAL_NAMES

GOOD = """good OK Normal ok_front good_2 front-good GoodParts NODefect no_defect non-defective NonDefective not_bad
defect_free crackfree undamaged uncracked gut Gutteile iO i.O. i_O fehlerfrei bon conforme pièces_conformes buono bueno
buenas bom aprovado goed godkänd dobry dobré iyi sağlam годные не_дефект 良品 合格 正常 合格品_1 无缺陷 無缺陷
정상 양품 정상품 正常图片 without_defects ohne_Fehler sans_défaut nodefect passed_2024"""
BAD = """bad KO NG nio n.i.O. niO n_i_o def_front bad_parts BadParts not_good NotOK notgood defect2 defects-left not_ok
scratch_deep cracked broken schlecht Ausschuss fehlerhaft nicht_ok mauvais non_conforme défectueux scarto difettoso malo
defectuoso ruim fout afgekeurd dålig zły wadliwe špatné hatalı bozuk брак дефект не_годные 不良品 不合格 异常 異常 缺陷
欠陥 불량 불량품 비정상 不良品_2 缺陷样本 non_good nongood incorrect rejected_b"""
NEITHER = """camera_1 0 1 2024-05-01 left images Positive Negative good_bad ok_vs_ng xyz Label gt fine_dust clean_cut
no_cap nozzle normandy okra baden passage goodyear 図面 カメラ deflector badge defence scrapbook"""


@pytest.mark.parametrize("name", GOOD.split())
def test_words_of_good_parts(name: str) -> None:
    assert class_of(name) == NORMAL


@pytest.mark.parametrize("name", BAD.split())
def test_words_of_defective_parts(name: str) -> None:
    assert class_of(name) == ANOMALOUS


@pytest.mark.parametrize("name", NEITHER.split())
def test_what_says_neither_or_both_is_unknown(name: str) -> None:
    assert class_of(name) is None


def test_the_words_known_so_far_mean_what_they_did() -> None:
    assert all(class_of(word) == NORMAL for word in NORMAL_NAMES)
    assert all(class_of(word.title()) == ANOMALOUS for word in ANOMALOUS_NAMES)


def test_positive_is_defective_only_beside_negative() -> None:
    assert classes_of(["Positive", "Negative", "x"]) == {"Positive": ANOMALOUS, "Negative": NORMAL}
    assert classes_of(["pos_left", "neg_left"]) == {"pos_left": ANOMALOUS, "neg_left": NORMAL}
    assert classes_of(["Positive", "x"]) == {} == classes_of(["Negative"])


def test_a_class_names_no_part_but_what_says_more_does() -> None:
    assert all(map(is_class_alone, ("good", "Ausschuss", "not_ok", "good_2", "i.O.", "良品")))
    assert not any(map(is_class_alone, ("screw", "ok_front", "crack", "good_bad", "screw_good")))
