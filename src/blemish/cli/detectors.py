"""`blemish detectors`: the detectors there are."""

from __future__ import annotations

from blemish.cli.output import JsonOption, console, emit


def detectors(json_output: JsonOption = False) -> None:
    """List the detectors and their parameters.

    \b
    blemish detectors
    blemish fit photographs/ --out part.blemish --detector patchcore --set NAME=VALUE
    """
    from blemish.detectors.registry import detector_info, detector_names

    infos = [detector_info(name) for name in detector_names()]
    document = [
        {
            "name": info.name,
            "summary": info.summary,
            "learns_from": info.learns_from,
            "gives_maps": info.gives_maps,
            "reference": info.reference,
            "presets": info.presets,
            "parameters": info.parameters,
        }
        for info in infos
    ]

    if json_output:
        emit(document)
        return
    for info in infos:
        console.print(info.name, style="bold")
        console.print(f"  {info.summary}")
        console.print(f"  learns from: {info.learns_from}; maps: {'yes' if info.gives_maps else 'no'}")
        for preset, values in info.presets.items():
            console.print(f"  --preset {preset}: {_settings(values)}")
        console.print(f"  --set: {_settings(info.parameters)}")
        console.print(f"  {info.reference}")


def _settings(values: dict[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items()) or "as by default"
