"""The same network for everybody: a packed file, the ONNX file that yolocu writes of it, and what
pnnx makes of that for ncnn."""

import dataclasses
import pathlib
import shutil

import contestants

SEED = 1  # of made-up weights


@dataclasses.dataclass
class Subject:
    """A network in the forms that the contestants read."""
    name: str
    packed: pathlib.Path
    int8: pathlib.Path  # with int8 weights, or None
    files: dict         # onnx; ncnn (.param and .bin without their endings) or ncnn_problem
    trained: bool       # its weights are not made up


def prepare(name, packed, int8, settings, pnnx):
    """Writes the files of a network below settings.work. `packed` None: made-up weights for the
    architecture `name`. Unavailable if there is no ONNX file, without which nobody can be compared.
    """
    folder = settings.work / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    trained = packed is not None
    if not trained:
        packed = folder / "model.yolocu"
        contestants.run_program([settings.program, "convert", "--arch", name, "--synthetic", SEED,
                                 "-o", packed])
    onnx = folder / "model.onnx"
    contestants.run_program([settings.program, "export-onnx", packed, "-o", onnx, "--size",
                             settings.size])
    files = {"onnx": str(onnx), **ncnn_files(folder, onnx, settings.size, pnnx)}
    return Subject(name, pathlib.Path(packed), int8, files, trained)


def ncnn_files(folder, onnx, size, pnnx):
    """What pnnx makes of an ONNX file, or why there is nothing. Weights are stored in fp32, so that
    they are the same as everybody's."""
    if pnnx is None:
        return {"ncnn_problem": "pnnx is not installed"}
    inside = folder / "ncnn"  # pnnx writes many files beside its input
    inside.mkdir()
    copy = inside / "model.onnx"
    copy.symlink_to(onnx)
    try:
        contestants.run_program([pnnx, copy, f"inputshape=[1,3,{size},{size}]", "fp16=0"])
    except contestants.Unavailable as problem:
        return {"ncnn_problem": f"pnnx: {problem}"}
    stem = inside / "model.ncnn"
    if not stem.with_suffix(".ncnn.bin").is_file():
        return {"ncnn_problem": "pnnx has written no model"}
    return {"ncnn": str(stem)}
