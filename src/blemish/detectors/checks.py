"""The contract of detectors, clause by clause: one suite judges those of Blemish and anybody's own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import cv2
import numpy as np
import torch
from PIL import Image

from blemish.core.errors import (
    BlemishError,
    CatalogError,
    ContractError,
    ImageError,
    NotFittedError,
    UsageError,
)
from blemish.core.images import read_image, read_mask
from blemish.core.network import CompiledNetwork
from blemish.core.progress import track
from blemish.core.types import Prediction
from blemish.data.entries import ANOMALOUS, TEST, TRAIN
from blemish.detectors.base import Detector
from blemish.detectors.check_subject import Subject
from blemish.features.onnx_export import to_onnx

FOLDS = 3

Check = Callable[[Subject], None]

Refusal = TypeVar("Refusal", bound=BlemishError)


class _BrokenError(Exception):
    """A clause is broken; the text says how."""


def check_detector(detector: Detector) -> None:
    """Judge a detector by the contract that all detectors of Blemish keep, on small drawn parts.

    Args:
        detector: unfitted; its parameters are those to check it with, so choose them small: the whole takes some
            ten fits on a dozen photographs.

    Raises:
        ContractError: it breaks a clause; the sentence says which, and how.

    Example:
        >>> import blemish
        >>> blemish.check_detector(blemish.NearestNeighbours(size=64, coreset_size=100))
    """
    with TemporaryDirectory(prefix="blemish-check-") as folder:
        subject = Subject.of(detector, Path(folder))
        for check in track(CHECKS, f"Checking {type(detector).__name__}"):
            run_check(check, subject)


def run_check(check: Check, subject: Subject) -> None:
    """Run one check of `CHECKS`.

    Raises:
        ContractError: its clause is broken.
    """
    try:
        check(subject)
    except Exception as error:  # a stranger's code may raise anything
        how = str(error) if isinstance(error, _BrokenError) else f"it raised {type(error).__name__}: {error}"
        clause = (check.__doc__ or "").partition("\n")[0].rstrip(".")
        raise ContractError(
            f'{type(subject.detector).__name__} breaks the contract of detectors, "{clause}": {how.rstrip(".")}.'
        ) from error


def check_parameters(subject: Subject) -> None:
    """A detector is a dataclass, and every parameter has a default, size, bit_depth and seed among them."""
    kind = type(subject.detector)
    _require("__dataclass_fields__" in vars(kind), f"decorate {kind.__name__} with @dataclasses.dataclass")
    known = kind().get_params()
    missing = {"size", "bit_depth", "seed"} - set(known)
    _require(not missing, f"it has no parameter {', '.join(sorted(missing))}")


def check_init_only_stores(subject: Subject) -> None:
    """`__init__` stores its parameters as they are, and does nothing else."""
    values: dict[str, Any] = {name: object() for name in subject.detector.get_params()}
    made = type(subject.detector)(**values)
    for name, value in made.get_params().items():
        _require(value is values[name], f"{name} is {value!r} where another value was given")
    _require(not _learnt(made), f"it has {_learnt(made)} before anything is learnt")


def check_get_and_set_params(subject: Subject) -> None:
    """Parameters are read and changed by name, and an unknown one is refused."""
    made, given = subject.detector.clone(), subject.detector.get_params()
    _require(made.set_params(**given) is made, "set_params does not return the detector itself")
    _require(made.get_params() == given, "parameters that were set read otherwise")
    refused = _refusal(UsageError, lambda: made.set_params(no_such=1), "an unknown parameter")
    _require("no_such" in str(refused), "the refusal of an unknown parameter does not name it")


def check_clone(subject: Subject) -> None:
    """A clone, scikit-learn's too, has the same parameters and has learnt nothing."""
    from sklearn.base import clone

    for made in (subject.fitted.clone(), clone(subject.fitted)):
        _require(type(made) is type(subject.fitted) and made is not subject.fitted, "the clone is none")
        _require(made.get_params() == subject.detector.get_params(), "the clone has other parameters")
        _require(not _learnt(made), f"the clone has {_learnt(made)}")
        _refusal(NotFittedError, partial(_scored, made, subject.paths[:1]), "predict of a clone")


def check_repr(subject: Subject) -> None:
    """A detector shows its class, and the parameters that are not its defaults."""
    kind = type(subject.detector)
    shown = repr(kind().set_params(seed=12345))
    _require(shown == f"{kind.__name__}(seed=12345)", f"with seed=12345 it shows as {shown}")


def check_looks_through_its_view(subject: Subject) -> None:
    """Everything that is read of photographs is read through the view, so that what is ignored has no influence."""
    made = subject.detector.clone().set_params(ignore=("box:0,0,40,30",))
    planned = made.plan_view(subject.catalog.train_normal())
    made.look_as(planned)
    reads = made.reads()
    contracts = [made.preprocessing(), *reads.contracts, *(one.contract for one in reads.extractors)]
    blind = [f"{one.width} x {one.height}" for one in contracts if one.view != planned.view]
    _require(
        not blind, f"photographs are read at {', '.join(blind)} without it: wrap the contract in viewed()"
    )


def check_fit_returns_self(subject: Subject) -> None:
    """`fit` returns the detector, changes no parameter, and what it learns ends in `_`."""
    made = subject.detector.clone()
    before = set(vars(made))
    _require(made.fit(subject.catalog) is made, "fit does not return the detector itself")
    _require(made.get_params() == subject.detector.get_params(), "fit changes parameters")
    _require(bool(_learnt(made)), "after fit it has no attribute that ends in _")
    others = [name for name in vars(made) if name not in before and name[0] != "_" and name[-1] != "_"]
    _require(not others, f"fit writes {', '.join(others)}, whose names do not end in _")


def check_unfitted_is_refused(subject: Subject) -> None:
    """Before `fit`, `predict` and `network` raise NotFittedError."""
    made = subject.detector.clone()
    _refusal(NotFittedError, partial(_scored, made, subject.paths[:1]), "predict before fit")
    _refusal(NotFittedError, made.network, "network before fit")


def check_no_images_are_refused(subject: Subject) -> None:
    """A catalog without training images is refused by a CatalogError of one sentence."""
    testing = (subject.catalog.table["split"] == TEST).to_numpy()
    for nothing in (subject.catalog.subset([]), subject.catalog.subset(testing)):
        _refusal(CatalogError, partial(subject.detector.clone().fit, nothing), "fit on no images")


def check_defects_are_not_learnt(subject: Subject) -> None:
    """A detector that learns from good parts refuses a defect among the training images, and names it."""
    if subject.detector.learns_from_defects():
        return
    table = subject.catalog.table.copy()
    defective = table.index[table["label"] == ANOMALOUS][0]
    table.loc[defective, "split"] = TRAIN
    mixed = dataclasses.replace(subject.catalog, table=table)
    refused = _refusal(CatalogError, lambda: subject.detector.clone().fit(mixed), "a defect to learn from")
    _require(
        str(table.loc[defective, "path"]) in str(refused), "the refusal of a defect does not name its file"
    )


def check_predictions(subject: Subject) -> None:
    """A prediction is a finite float and a finite float32 map of the input's size, in memory of its own."""
    _require(
        len(subject.predictions) == len(subject.paths), "there is not one prediction for each photograph"
    )
    for prediction in subject.predictions:
        score, anomaly_map = prediction.score, prediction.anomaly_map
        _require(type(score) is float and bool(np.isfinite(score)), f"a score is {score!r}")
        kind = f"{anomaly_map.dtype} {anomaly_map.shape}"
        _require(anomaly_map.dtype == np.float32 and anomaly_map.shape == subject.side, f"a map is {kind}")
        _require(bool(np.isfinite(anomaly_map).all()), "a map is not finite everywhere")
    for one, other in zip(subject.predictions, subject.predictions[1:], strict=False):
        _require(not np.shares_memory(one.anomaly_map, other.anomaly_map), "two maps share memory")


def check_photographs_of_any_kind(subject: Subject) -> None:
    """Photographs of any size are scored: colour and grey, 8 and 16 bits, in files and in memory."""
    wide = cv2.resize(read_image(subject.paths[0]), (300, 90))
    files = {"wide.jpg": wide[..., ::-1], "grey.png": wide[..., 0], "deep.tiff": wide.astype(np.uint16) * 257}
    for name, pixels in files.items():
        cv2.imwrite(str(subject.folder / name), pixels)
        prediction = subject.fitted.predict(subject.folder / name)
        _require(
            prediction.anomaly_map.shape == subject.side, f"the map of a photograph {name} has another size"
        )
    path, said = subject.paths[0], subject.predictions[0]
    for image in (str(path), path.read_bytes(), Image.open(path), read_image(path)):
        _require(
            _agree([said], [subject.fitted.predict(image)], 1e-6),
            f"a photograph as a {type(image).__name__} scores otherwise than as a path",
        )


def check_a_broken_photograph_is_named(subject: Subject) -> None:
    """A photograph that cannot be read raises an ImageError that names it, after those before it are scored."""
    broken = subject.folder / "broken.png"
    broken.write_bytes(b"no image")
    predictions = subject.fitted.predict([subject.paths[0], broken])
    _require(
        _agree([subject.predictions[0]], [next(predictions)], 1e-6), "the photograph before scores otherwise"
    )
    refused = _refusal(ImageError, lambda: next(predictions), "a photograph that cannot be read")
    _require(str(broken) in str(refused), "the error does not name the photograph")
    table = subject.catalog.table.copy()
    table.loc[table.index[table["split"] == TRAIN][1], "path"] = str(broken)
    damaged = dataclasses.replace(subject.catalog, table=table)
    refused = _refusal(
        ImageError, lambda: subject.detector.clone().fit(damaged), "one among the training images"
    )
    _require(str(broken) in str(refused), "fit's error does not name the photograph")


def check_defects_score_higher(subject: Subject) -> None:
    """Defective parts score above good ones: the AUROC on parts with plain defects is above 0.8."""
    from sklearn.metrics import roc_auc_score

    anomalous = (subject.catalog.test()["label"] == ANOMALOUS).to_numpy()
    auroc = roc_auc_score(anomalous, [prediction.score for prediction in subject.predictions])
    _require(auroc > 0.8, f"it is {auroc:.2f}")


def check_maps_show_defects(subject: Subject) -> None:
    """A map is higher on the defect than beside it; of a detector that gives no maps it is the score everywhere."""
    if not subject.detector.gives_maps:
        same = all((one.anomaly_map == np.float32(one.score)).all() for one in subject.predictions)
        _require(same, "it gives no maps, and a map is not its score everywhere")
        return
    higher = []
    for mask, prediction in zip(subject.catalog.test()["mask"], subject.predictions, strict=True):
        if mask is not None:
            shown = (
                cv2.resize(
                    read_mask(mask).astype(np.uint8), subject.side[::-1], interpolation=cv2.INTER_NEAREST
                )
                > 0
            )
            higher.append(prediction.anomaly_map[shown].mean() > prediction.anomaly_map[~shown].mean())
    _require(np.mean(higher) > 0.8, f"it is so on {sum(higher)} of {len(higher)} defective parts")


def check_a_seed_repeats_everything(subject: Subject) -> None:
    """The same seed and images give the same network, scores and maps."""
    again = subject.detector.clone().fit(subject.catalog)
    _require(_agree(subject.predictions, again.predict(subject.paths), 1e-6), "a second fit scores otherwise")
    _require(_same(_numbers(subject.fitted), _numbers(again)), "a second fit gives another network")


def check_changed_parameters_count(subject: Subject) -> None:
    """After a change of parameters a detector refuses to speak until it is fitted anew, then it is as a fresh one."""
    paths, before, after = subject.paths[:2], 64, 96
    changed = subject.detector.clone().set_params(size=before).fit(subject.catalog)
    _scored(changed, paths), _cross_scored(changed, subject)  # which prepare whatever it may keep
    changed.set_params(size=after)
    _refusal(CatalogError, partial(changed.fit, subject.catalog.subset([])), "fit on no images")
    for ask in (partial(_scored, changed, paths), partial(_cross_scored, changed, subject), changed.network):
        refused = _refusal(NotFittedError, ask, f"size={after} after a fit with size={before}")
        _require(f"size={after}" in str(refused), "the refusal does not name the changed parameter")
    changed.fit(subject.catalog)
    fresh = subject.detector.clone().set_params(size=after).fit(subject.catalog)
    said, anew = (_scored(one, paths) for one in (changed, fresh))
    _require(said[0].anomaly_map.shape == anew[0].anomaly_map.shape, "the map has the size of before")
    _require(_agree(said, anew, 0), "fitted anew it scores otherwise than a fresh one")
    again, unseen = (_cross_scored(one, subject) for one in (changed, fresh))
    _require(_agree(again, unseen, 0), "fitted anew it scores unseen images otherwise than a fresh one")


def check_predicting_learns_nothing(subject: Subject) -> None:
    """The order of photographs does not count, and predicting changes nothing that was learnt, nor torch's state."""
    before = _numbers(subject.fitted)
    for _ in subject.fitted.predict(subject.paths[:2]):
        _require(not torch.is_inference_mode_enabled(), "between photographs torch is in inference mode")
    backwards = list(subject.fitted.predict(subject.paths[::-1]))[::-1]
    _require(_agree(subject.predictions, backwards, 0), "backwards they score otherwise")
    after = subject.fitted.network().state_dict()
    _require(
        all(torch.equal(after[name], value) for name, value in before.items()), "the network has changed"
    )


def check_the_network_says_the_same(subject: Subject) -> None:
    """`network` says what `predict` says, in torch and exported to ONNX, to 1e-3."""
    network, side = subject.fitted.network(), subject.side
    example = torch.zeros(1, *subject.fitted.read_input(subject.paths[0]).shape)
    runtime = CompiledNetwork(to_onnx(network, example, ["score", "map"]))
    in_torch, exported = [], []
    for path in subject.paths:
        planes = subject.fitted.read_input(path)[None]
        with torch.inference_mode():
            score, anomaly_map = network(torch.from_numpy(planes))
        _require(tuple(score.shape) == (1,), f"its score has the shape {tuple(score.shape)} instead of (1,)")
        in_torch.append(Prediction(float(score), anomaly_map.numpy()))
        outputs = runtime(planes)
        exported.append(Prediction(float(outputs[0].reshape(-1)[0]), outputs[1].reshape(side)))
    _require(_agree(subject.predictions, in_torch, 1e-3), "in torch it differs")
    _require(_agree(subject.predictions, exported, 1e-3), "exported to ONNX it differs")


def check_good_images_are_scored_as_if_unseen(subject: Subject) -> None:
    """`cross_predict` scores good training images once each, as if unseen, and the same again."""
    paths = subject.catalog.train_normal()
    unseen = list(subject.fitted.cross_predict(subject.catalog, FOLDS))
    positions = [position for position, _ in unseen]
    _require(len(positions) == len(set(positions)) > 0, "an image is scored twice, or none is")
    _require(set(positions) <= set(range(len(paths))), "a position is none of a good training image")
    scores = [prediction.score for _, prediction in unseen]
    by_heart = [one.score for one in subject.fitted.predict([paths[position] for position in positions])]
    if (
        subject.detector.calibration != "k-fold"
    ):  # they are held out, and the one network has not learnt from them
        _require(
            len(positions) < len(paths) and scores == by_heart,
            "those held out score otherwise than by predict",
        )
    elif (
        subject.detector.gives_maps
    ):  # a few whole images vary most along themselves, so unseen ones may score lower
        _require(np.mean(scores) > np.mean(by_heart), "unseen they score no higher than learnt by heart")
    again = [one.score for _, one in subject.fitted.cross_predict(subject.catalog, FOLDS)]
    _require(again == scores, "a second time they score otherwise")


CHECKS: tuple[Check, ...] = (
    check_parameters,
    check_init_only_stores,
    check_get_and_set_params,
    check_repr,
    check_looks_through_its_view,
    check_unfitted_is_refused,
    check_no_images_are_refused,
    check_defects_are_not_learnt,
    check_fit_returns_self,
    check_clone,
    check_predictions,
    check_photographs_of_any_kind,
    check_a_broken_photograph_is_named,
    check_defects_score_higher,
    check_maps_show_defects,
    check_a_seed_repeats_everything,
    check_changed_parameters_count,
    check_predicting_learns_nothing,
    check_the_network_says_the_same,
    check_good_images_are_scored_as_if_unseen,
)
"""Every clause of the contract, the cheapest first."""


def _require(kept: bool, otherwise: str) -> None:
    if not kept:
        raise _BrokenError(otherwise)


def _refusal(wanted: type[Refusal], act: Callable[[], Any], what: str) -> Refusal:
    """The error by which `act` is refused, of the class wanted and one sentence for a person."""
    try:
        act()
    except wanted as error:
        sentence = str(error)
        _require(
            sentence.endswith(".") and "\n" not in sentence, f"{what} is refused by no sentence: {sentence!r}"
        )
        return error
    raise _BrokenError(f"{what} is not refused by a {wanted.__name__}")


def _scored(detector: Detector, paths: list[Path]) -> list[Prediction]:
    return list(detector.predict(paths))


def _cross_scored(detector: Detector, subject: Subject) -> list[Prediction]:
    return [prediction for _, prediction in detector.cross_predict(subject.catalog, 2)]


def _learnt(detector: Detector) -> str:
    """Names of the attributes that were learnt, for a sentence."""
    names = [name for name in vars(detector) if name[0] != "_" and name[-1] == "_"]
    return ", ".join(name for name in names if vars(detector)[name] is not None)


def _numbers(detector: Detector) -> dict[str, torch.Tensor]:
    """All numbers of the fitted network, by name."""
    return {name: value.clone() for name, value in detector.network().state_dict().items()}


def _same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def _agree(left: Iterable[Prediction], right: Iterable[Prediction], relative: float) -> bool:
    """Whether scores and maps differ by no more than `relative` of the largest value."""
    pairs = list(zip(left, right, strict=True))
    scale = max(float(abs(one.anomaly_map).max()) for one, _ in pairs) or 1.0
    largest = max(abs(one.score) for one, _ in pairs) or 1.0
    scores = max(abs(one.score - other.score) for one, other in pairs) / largest
    maps = max(float(abs(one.anomaly_map - other.anomaly_map).max()) for one, other in pairs) / scale
    return scores <= relative and maps <= relative
