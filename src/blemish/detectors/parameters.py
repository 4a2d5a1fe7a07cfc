"""The parameters of a detector: the fields of its dataclass, read and changed as those of a scikit-learn estimator."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from blemish.core.errors import NotFittedError, UsageError


@dataclasses.dataclass(repr=False)
class Parameters:
    """What an estimator says of its parameters, and which of them it was fitted with."""

    name: ClassVar[str] = ""
    _fitted_with: dict[str, Any] | None = dataclasses.field(
        default=None, init=False, repr=False, compare=False
    )

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        cls.__repr__ = Parameters.__repr__  # type: ignore[method-assign]  # or `dataclass` would write one

    def __repr__(self) -> str:
        """The class with the parameters that are not its defaults, as `PatchCore(size=448)`."""
        given = self.get_params()
        changed = {name: given[name] for name, default in self.defaults().items() if given[name] != default}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in changed.items())})"

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name, as given; `deep` is scikit-learn's, and changes nothing here."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.init}

    def set_params(self, **parameters: Any) -> Self:
        """Change parameters; a fitted detector then refuses to speak until it is fitted again.

        Raises:
            UsageError: there is no such parameter; then none is changed.
        """
        known = self.get_params()
        unknown = sorted(set(parameters) - set(known))
        if unknown:
            raise UsageError(
                f"The detector {self.name} has no parameter {unknown[0]}: choose among {', '.join(known)}."
            )
        for name, value in parameters.items():
            setattr(self, name, value)
        return self

    def clone(self) -> Self:
        """An unfitted detector with the same parameters."""
        return type(self)(**self.get_params())

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Default value of each parameter."""
        fields = [field for field in dataclasses.fields(cls) if field.init]
        made = dataclasses.MISSING
        return {
            one.name: one.default if one.default_factory is made else one.default_factory() for one in fields
        }


def refuse(detector: Parameters, wrong: Mapping[str, bool]) -> None:
    """Refuse the first parameter that is wrong.

    Raises:
        UsageError: one is.
    """
    defaults = detector.defaults()
    for name, bad in wrong.items():
        if bad:
            raise UsageError(
                f"{name}={getattr(detector, name)} is not possible for {detector.name}: the default is "
                f"{defaults[name]}, and blemish detectors shows them all."
            )


def require_fitted(detector: Parameters, attribute: str) -> Any:
    """The fitted attribute.

    Raises:
        NotFittedError: `fit` has not run, or not with the parameters of now.
    """
    value = getattr(detector, attribute, None)
    if value is None:
        raise NotFittedError(f"This {detector.name} detector has learnt nothing yet: call fit first.")
    before = detector._fitted_with or {}
    for name, now in detector.get_params().items():
        if name in before and before[name] != now:
            raise NotFittedError(
                f"This {detector.name} detector was fitted with {name}={before[name]} and has {name}={now} now: call "
                "fit again."
            )
    return value
