"""NumPy's .npy files of fp32 without NumPy: '<f4', C order, format version 1.0 (NEP 1)."""

import array
import ast
import math
import struct
import sys

MAGIC = b"\x93NUMPY\x01\x00"


def write_npy(path, shape, values):
    """values: an array('f') of prod(shape) numbers, row-major."""
    header = repr({"descr": "<f4", "fortran_order": False, "shape": tuple(shape)})
    padding = -(len(MAGIC) + 2 + len(header) + 1) % 64
    text = (header + " " * padding + "\n").encode()
    data = array.array("f", values)
    if sys.byteorder == "big":
        data.byteswap()
    with open(path, "wb") as file:
        file.write(MAGIC + struct.pack("<H", len(text)) + text + data.tobytes())


def read_npy(path):
    """(shape, array('f')). ValueError for anything but what write_npy writes."""
    with open(path, "rb") as file:
        content = file.read()
    if not content.startswith(MAGIC):
        raise ValueError(f"{path}: expected .npy version 1.0")
    begin = len(MAGIC) + 2
    end = begin + struct.unpack_from("<H", content, len(MAGIC))[0]
    header = ast.literal_eval(content[begin:end].decode())
    if header["descr"] != "<f4" or header["fortran_order"]:
        raise ValueError(f"{path}: expected <f4 in C order, got {header}")
    values = array.array("f")
    values.frombytes(content[end:])
    if sys.byteorder == "big":
        values.byteswap()
    if len(values) != math.prod(header["shape"]):
        raise ValueError(f"{path}: {len(values)} values do not fill {header['shape']}")
    return header["shape"], values
