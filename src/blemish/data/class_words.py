"""Words that say good or defective, in the languages in which people name their folders and labels.

A name is read by its words: `ok_front`, `BadParts` and `Prüfung n.i.O.` are split at everything that is no letter and
at camel case, in lower case and without accents. A negation turns its word: `not_good`, `NODefect`, `defect_free`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from blemish.data.entries import ANOMALOUS, ANOMALOUS_NAMES, NORMAL, NORMAL_NAMES

_GOOD_WORDS = """
good goods ok oks okay normal normals pass passed accept accepted acceptable nominal faultless flawless intact healthy
conforming conformant conform gute guter gutes guten gutteil gutteile fehlerfrei einwandfrei bons bonne bonnes conforme
conformes conformi buono buoni buona buone bueno buenos buena buenas correcto correctos aprobado aprobados bom boa boas
aprovado aprovados goed goede goedgekeurd godkänd godkända godkendt godkjent hyvä hyväksytty dobry dobre dobré dobrý
poprawny poprawne zgodny zgodne shodný shodné megfelelő sağlam годный годные годен хороший хорошие норма нормальный
нормальные исправный исправные придатні добрі καλό καλά سليم جيد תקין
"""
_GOOD_ALONE = """
fine clean correct perfect gut io bon god gode bra dobra dobri jó iyi bun bune
"""
"""Good only where a name has no other word: fine dust, a clean cut and the god of war are not good parts."""

_DEFECT_WORDS = """
defect defects defective defected fault faults faulty flaw flaws flawed damage damages damaged anomaly anomalies
anomalous abnormal abnormality crack cracks cracked scratch scratches scratched dent dents dented broken
chipped stained corroded
fehler fehlerhaft fehlerhafte defekt defekte kratzer riss risse beschädigt défaut défauts défectueux défectueuse abîmé
difetto difetti difettoso difettosi difettosa difettose guasto defecto defectos defectuoso defectuosos defectuosa
defeito defeitos defeituoso defeituosos defecte usterka usterki wada wady wadliwy wadliwe uszkodzony uszkodzone vada
vady vadný vadné kusur kusurlu hatalı hasarlı hibás дефект дефекты дефектный дефектные неисправный неисправные معيب תקול
"""
_BAD_WORDS = """
bad ko ng nok nio def notok notgood nogood fail fails failed failure failures reject rejects rejected rejection scrap
scraps scrapped waste error errors wrong schlecht schlechte schlechtteil schlechtteile ausschuss mangelhaft fehlteil
fehlteile mauvais mauvaise mauvaises rebut rebuts rejeté scarto scarti cattivo cattivi malo malos mala malas rechazado
rechazados ruim ruins rejeitado rejeitados reprovado reprovados fout foute slecht slechte afgekeurd afkeur uitval dålig
dåliga underkänd underkända felaktig dårlig kasseret kassert viallinen vialliset zły złe zła odrzut odrzuty błędny
špatný špatné zmetek zmetky chybný chybné neshodný neshodné bozuk selejt брак бракованный бракованные негодный негодные
плохой плохие
"""
_GOOD_CJK = "良品 合格 合格品 正常 正常品 完好 良好 양품 정상 합격 양호"
_BAD_CJK = """
不良 不良品 不合格 不合格品 异常 異常 缺陷 缺陷品 缺陥 欠陥 欠陥品 次品 废品 廢品
瑕疵 损坏 損壞 坏品 不具合 불량 불량품 비정상 불합격 이상 결함
"""
"""Words of scripts that put no space between them, found anywhere in a name."""

_NEGATION_WORDS = """
no not non without nicht ohne kein keine pas sans senza sin sem não niet geen zonder nie bez ne inte ej utan ikke uden
uten не без
"""
_AFTER_WORDS = "free frei less değil"
"""Negations that stand behind their word, as in `crack_free`."""

_OPPOSITES = ({"positive", "positives", "pos"}, {"negative", "negatives", "neg"})
"""Of sets of cracks, and of tests for defects: positive is defective. They say so only side by side."""

_CAMEL = re.compile(r"(?<=[^\W\d_])(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])")
_INITIALS = re.compile(r"(?<![^\W\d_])(n?)[. _-]*i[. _-]+o(?![^\W\d_])", re.IGNORECASE)


def _folded(text: str) -> str:
    """Letters in lower case, without accents."""
    text = text.translate({ord("ł"): "l", ord("Ł"): "l", ord("ı"): "i", ord("ø"): "o", ord("Ø"): "o"})
    apart = unicodedata.normalize("NFKD", text)
    # Latin, Greek and Cyrillic accents only, composed again: other marks are part of their letter.
    return unicodedata.normalize("NFC", re.sub("[\u0300-\u036f]", "", apart)).casefold()


def _words(text: str) -> frozenset[str]:
    return frozenset(_folded(text).split())


_ALONE = _words(_GOOD_ALONE)
_GOOD = _words(_GOOD_WORDS) | _ALONE | NORMAL_NAMES
_DEFECTS = _words(_DEFECT_WORDS)
_BAD = _words(_BAD_WORDS) | _DEFECTS | ANOMALOUS_NAMES
_NEGATIONS, _AFTER = _words(_NEGATION_WORDS), _words(_AFTER_WORDS)
_CJK = dict.fromkeys(_GOOD_CJK.split(), NORMAL) | dict.fromkeys(_BAD_CJK.split(), ANOMALOUS)
_IN_CJK = re.compile(f"(无|無|非|未|没有|무)?({'|'.join(sorted(_CJK, key=len, reverse=True))})")
_JOINED = re.compile(r"(?:(non|not|no|un|in|nicht)(.+)|(.+?)(free|frei|less))")
_OF_FILES = _words("broken damage damaged error errors fault faulty fail failed failure wrong")
_TURNED = {NORMAL: ANOMALOUS, ANOMALOUS: NORMAL}


def class_of(name: str) -> str | None:
    """NORMAL or ANOMALOUS, as the words of a folder's name or a label say; None where they say neither, or both.

    Example:
        >>> class_of("def_front"), class_of("ok_front"), class_of("NODefect"), class_of("camera_1")
        ('anomalous', 'normal', 'normal', None)
    """
    if name.lower() in NORMAL_NAMES | ANOMALOUS_NAMES:
        return NORMAL if name.lower() in NORMAL_NAMES else ANOMALOUS
    words = words_of(name)
    others = any(_said(word) is None and word not in _NEGATIONS for word in words)
    said = set(_sayings([word for word in words if not (others and word in _ALONE)]))
    return said.pop() if len(said) == 1 else None


def classes_of(names: Iterable[str]) -> dict[str, str]:
    """The class of each name that says one, side by side: beside `Negative`, `Positive` is defective.

    Example:
        >>> classes_of(["Negative", "Positive", "notes"])
        {'Negative': 'normal', 'Positive': 'anomalous'}
    """
    names = list(names)
    found = {name: said for name in names if (said := class_of(name))}
    positive, negative = (
        [name for name in names if name not in found and side & set(words_of(name))] for side in _OPPOSITES
    )
    if positive and negative and not set(positive) & set(negative):
        found |= dict.fromkeys(positive, ANOMALOUS) | dict.fromkeys(negative, NORMAL)
    return {name: found[name] for name in names if name in found}


def class_of_file(stem: str) -> str | None:
    """As `class_of`, of a file's name: words within digits are none, as `bad` is in a name of hexadecimal digits.

    Nor are words that a file itself deserves, as `damaged`.

    Example:
        >>> class_of_file("bad_017"), class_of_file("9bad3f"), class_of_file("IMG_20240501")
        ('anomalous', None, None)
    """
    words = re.findall(r"(?<![^\W_])[^\W\d_]+(?=\d*(?:[\W_]|$))", unicodedata.normalize("NFC", stem))
    return class_of(" ".join(word for word in words if _folded(word) not in _OF_FILES))


def is_class_alone(name: str) -> bool:
    """Whether a name says a verdict and nothing else, as `good`, `not_ok` or `Ausschuss`: it names no part."""
    if name.lower() in NORMAL_NAMES | ANOMALOUS_NAMES:
        return True
    words = [word for word in words_of(name) if word not in _NEGATIONS]
    return class_of(name) is not None and all(_said(word) and word not in _DEFECTS for word in words)


def words_of(name: str) -> list[str]:
    """The words of a name: in lower case, without accents, split at camel case and at all that is no letter.

    Example:
        >>> words_of("NODefect-2 Prüfung n.i.O.")
        ['no', 'defect', 'prufung', 'nio']
    """
    chunks = re.findall(r"[^\W\d_]+", _INITIALS.sub(r" \1io ", unicodedata.normalize("NFC", name)))
    words: list[str] = []
    for chunk in chunks:
        whole = _folded(chunk)
        words += [whole] if _said(whole) else [_folded(part) for part in _CAMEL.split(chunk)]
    return words


def _sayings(words: list[str]) -> Iterator[str]:
    """What each word says, turned by a negation before or behind it."""
    for place, word in enumerate(words):
        said = _said(word)
        if said is None:
            continue
        before = place > 0 and words[place - 1] in _NEGATIONS
        behind = place + 1 < len(words) and words[place + 1] in _AFTER
        yield _TURNED[said] if before != behind else said


def _said(word: str) -> str | None:
    """What one word says by itself; a negation may be part of it, as in `nondefective`."""
    if word in _GOOD or word in _BAD:
        return NORMAL if word in _GOOD else ANOMALOUS
    if found := _IN_CJK.search(word):
        said = _CJK[found[2]]
        return _TURNED[said] if found[1] else said
    if found := _JOINED.fullmatch(word):
        inner = found[2] or found[3]
        if inner in _GOOD | _BAD:
            return ANOMALOUS if inner in _GOOD else NORMAL
    return None
