"""What compiled CUDA kernels use, read from the cubins within objects and archives.

The CUDA toolkit's cuobjdump says the same; it is a package of its own, and often not there. Cubins
are ELF files; objects hold them in fatbins, which nvcc compresses for PTX only unless told otherwise.
Fatbins, the attributes of .nv.info and the codes of instructions have no public specification: what
is used here is the same for sm_80 to sm_120, and tests/kernels/kernel_report_test.py holds the
reader to what ptxas -v says.
"""

import dataclasses
import re
import struct

EM_CUDA = 190
FATBIN_MAGIC = b"\x50\xed\x55\xba"
FATBIN_CUBIN = 2  # the kind of an entry
SYMBOL_IS_KERNEL = 0x10  # in st_other
FRAME_SIZE, REGISTER_COUNT = 0x11, 0x2F  # attributes of .nv.info
RESERVED_SHARED_BYTES = 1024  # of every block from sm_90 on, within .nv.shared of a kernel

# The low 12 bits of an instruction of 16 bytes. A MOV or LDC sets up the stack pointer in any kernel.
STORE_LOCAL, LOAD_LOCAL, TRAP, EXIT = 0x387, 0x983, 0x95C, 0x94D
FILLING = {0x918, 0x947, 0xA02, 0xB82}  # NOP, BRA (to itself, after the end), MOV, LDC


@dataclasses.dataclass
class Kernel:
    symbol: str
    architecture: str  # "sm_90a"
    registers: int
    shared_bytes: int  # static
    stack_bytes: int
    local_stores: int
    local_loads: int
    traps: bool
    only_exits: bool


@dataclasses.dataclass
class Section:
    name: str
    offset: int
    size: int
    info: int


class Cubin:
    """One ELF file that begins at `start` of `data`."""

    def __init__(self, data, start):
        self.data, self.start = data, start
        header = struct.unpack_from("<QQQIHHHHHH", data, start + 24)
        table, self.flags, entry_size, count, names = header[2], header[3], *header[7:10]
        raw = [
            struct.unpack_from("<IIQQQQIIQQ", data, start + table + i * entry_size)
            for i in range(count)
        ]
        self.sections = [Section(self._text(raw[names][4], r[0]), r[4], r[5], r[7]) for r in raw]

    def _text(self, table_offset, offset):
        begin = self.start + table_offset + offset
        return self.data[begin : self.data.index(b"\0", begin)].decode()

    def section(self, name):
        return next((s for s in self.sections if s.name == name), None)

    def bytes_of(self, section):
        begin = self.start + section.offset
        return self.data[begin : begin + section.size]

    def symbols(self):
        """Names and st_other, in order."""
        strings = self.section(".strtab").offset
        for name, _, other, *_ in struct.iter_unpack(
            "<IBBHQQ", self.bytes_of(self.section(".symtab"))
        ):
            yield self._text(strings, name), other

    def architecture(self):
        """From ptxas's command line, which the cubin holds; flags do not tell 90a from 90."""
        for section in self.sections:
            if section.name.startswith(".note.nv.tkinfo"):
                found = re.search(rb"-arch[ =](sm_\w+)", self.bytes_of(section))
                if found:
                    return found[1].decode()
        return f"sm_{self.flags >> 8 & 0xFF}"

    def attributes(self):
        """{(attribute, symbol's number): value} of .nv.info."""
        found = {}
        data = self.bytes_of(self.section(".nv.info"))
        at = 0
        while at + 4 <= len(data):
            form, attribute, size = struct.unpack_from("<BBH", data, at)
            at += 4
            if form != 4:  # the value is within the 4 bytes
                continue
            if attribute in (FRAME_SIZE, REGISTER_COUNT):
                number, value = struct.unpack_from("<II", data, at)
                found[attribute, number] = value
            at += size
        return found

    def kernels(self):
        attributes = self.attributes()
        for number, (symbol, other) in enumerate(self.symbols()):
            code = self.section(f".text.{symbol}")
            if code is None or not other & SYMBOL_IS_KERNEL:
                continue
            yield self._kernel(symbol, code, number, attributes)

    def _kernel(self, symbol, code, number, attributes):
        codes = [low & 0xFFF for low, _ in struct.iter_unpack("<QQ", self.bytes_of(code))]
        shared = self.section(f".nv.shared.{symbol}")
        shared_bytes = shared.size if shared else 0
        if self.flags >> 8 & 0xFF >= 90 and shared_bytes >= RESERVED_SHARED_BYTES:
            shared_bytes -= RESERVED_SHARED_BYTES
        return Kernel(
            symbol=symbol,
            architecture=self.architecture(),
            registers=attributes[REGISTER_COUNT, number],
            shared_bytes=shared_bytes,
            stack_bytes=attributes.get((FRAME_SIZE, number), 0),
            local_stores=codes.count(STORE_LOCAL),
            local_loads=codes.count(LOAD_LOCAL),
            traps=TRAP in codes,
            only_exits=set(codes) <= FILLING | {EXIT},
        )


class Unreadable(Exception):
    """Device code in a form that this file does not know."""


def cubins_in_fatbin(data, start):
    """The start of each cubin of the fatbin at `start`."""
    _, _, header_size, size = struct.unpack_from("<IHHQ", data, start)
    at = start + header_size
    end = at + size
    while at < end:
        kind, _, header_size, size = struct.unpack_from("<HHIQ", data, at)
        if kind == FATBIN_CUBIN:
            if not data.startswith(b"\x7fELF", at + header_size):
                raise Unreadable("device code is compressed: compile without --compress-all")
            yield at + header_size
        at += header_size + size


def kernels_in(path):
    """The kernels of all cubins in a file: an object, an archive, a program or a cubin."""
    data = path.read_bytes()
    if data.startswith(b"\x7fELF") and struct.unpack_from("<H", data, 18)[0] == EM_CUDA:
        yield from Cubin(data, 0).kernels()
    for magic in re.finditer(FATBIN_MAGIC, data):
        for start in cubins_in_fatbin(data, magic.start()):
            yield from Cubin(data, start).kernels()
