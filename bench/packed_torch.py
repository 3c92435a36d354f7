#!/usr/bin/env python3
"""The network of a packed model file in PyTorch: another's measure of the same graph and weights.

Reads what weights/format/FORMAT.md specifies, and nothing of this project's programs. Activations
are channels_last; decoding is fp32, as in yolocu.

  packed_torch.py MODEL --input x.npy --output y.npy        as `yolocu run`
  packed_torch.py MODEL --device cuda --precision fp16 --batch 1 32 --mode eager graph

Times are JSON, a line for each mode and batch as soon as it is measured.
"""

import argparse
import json
import statistics
import time

import torch
from torch.nn import functional as F

import npy

DTYPES = {"F16": torch.float16, "F32": torch.float32, "BF16": torch.bfloat16, "U8": torch.uint8}
PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def read_packed(path):
    """The model document and the named tensors of a packed file of version 1."""
    with open(path, "rb") as file:
        content = bytearray(file.read())
    begin = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(bytes(content[8:begin]))
    metadata = header.pop("__metadata__")
    if metadata["yolocu.format_version"] != "1":
        raise ValueError(f"{path}: format version {metadata['yolocu.format_version']}, expected 1")
    tensors = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        if name.startswith("pad.") or first == last:
            continue
        dtype = DTYPES[entry["dtype"]]
        count = (last - first) // torch.empty((), dtype=dtype).element_size()
        flat = torch.frombuffer(content, dtype=dtype, count=count, offset=begin + first)
        tensors[name] = flat.reshape(entry["shape"])
    return json.loads(metadata["yolocu.model"]), tensors


def space_to_depth(x):
    blocks = [x[..., row::2, column::2] for column in (0, 1) for row in (0, 1)]
    return torch.cat(blocks, 1)


def decode_dfl(heads, attributes):
    """box, class for each level, NCHW -> [N, A, 4 + classes] fp32."""
    bins, rows = attributes["bins"], []
    for level, stride in enumerate(attributes["strides"]):
        box, logits = heads[2 * level].float(), heads[2 * level + 1].float()
        n, _, h, w = box.shape
        weights = torch.arange(bins, device=box.device, dtype=torch.float32)
        sides = box.reshape(n, 4, bins, h * w).softmax(2)
        left, top, right, bottom = torch.einsum("nsbp,b->nsp", sides, weights).unbind(1)
        y, x = torch.meshgrid(torch.arange(h, device=box.device) + 0.5,
                              torch.arange(w, device=box.device) + 0.5, indexing="ij")
        x, y = x.reshape(-1), y.reshape(-1)
        boxes = torch.stack([x + (right - left) / 2, y + (bottom - top) / 2,
                             left + right, top + bottom], 2) * stride
        scores = logits.reshape(n, -1, h * w).transpose(1, 2).sigmoid()
        rows.append(torch.cat([boxes, scores], 2))
    return torch.cat(rows, 1)


def decode_anchor(heads, attributes, anchor_sizes):
    """One map and [anchors, 2] a level, NCHW -> [N, A, 4 + classes] fp32: objectness x class, as
    `yolocu run`."""
    rows = []
    for head, stride, anchors in zip(heads, attributes["strides"], anchor_sizes):
        n, _, h, w = head.shape
        length = 5 + attributes["classes"]
        s = head.float().reshape(n, len(anchors), length, h, w).permute(0, 1, 3, 4, 2).sigmoid()
        y, x = torch.meshgrid(torch.arange(h, device=head.device),
                              torch.arange(w, device=head.device), indexing="ij")
        centre = (s[..., 0:2] * 2 - 0.5 + torch.stack([x, y], 2)) * stride
        size = (s[..., 2:4] * 2) ** 2 * anchors[:, None, None, :]
        row = torch.cat([centre, size, s[..., 4:5] * s[..., 5:]], -1)
        rows.append(row.reshape(n, -1, length - 1))
    return torch.cat(rows, 1)


class PackedNetwork(torch.nn.Module):
    """forward: [N,3,H,W] of `dtype`, RGB in 0..1 -> [N, anchors, 4 + classes] fp32."""

    def __init__(self, path, dtype=torch.float32):
        super().__init__()
        document, tensors = read_packed(path)
        self.nodes = document["nodes"]
        self.input_size = document["input_size"]
        self.dtype = dtype
        self.slots = {}  # tensor name -> buffer
        for node in self.nodes:
            if node["op"] == "conv":
                self._keep(node["attributes"]["weight"], tensors)
                self._keep(node["attributes"]["bias"], tensors)
            # Buffers, as CUDA graphs copy nothing from the host.
            for level, sizes in enumerate(node["attributes"].get("anchors", [])):
                self.register_buffer(f"anchors_{level}", torch.tensor(sizes).reshape(-1, 2))
        last_use = {value: i for i, node in enumerate(self.nodes) for value in node["inputs"]}
        self.dead_after = [[v for v, last in last_use.items() if last == i]
                           for i in range(len(self.nodes))]

    def _keep(self, name, tensors):
        if not name or name in self.slots:
            return
        tensor = tensors[name].to(self.dtype)
        if tensor.dim() == 4:  # OHWI seen as OIHW is channels_last
            tensor = tensor.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        self.slots[name] = f"tensor_{len(self.slots)}"
        self.register_buffer(self.slots[name], tensor)

    def tensor(self, name):
        return getattr(self, self.slots[name]) if name else None

    def conv(self, x, a):
        y = F.conv2d(x, self.tensor(a["weight"]), self.tensor(a["bias"]), a["stride"],
                     a["padding"], 1, a["groups"])
        if a["activation"] == "silu":
            return F.silu(y, inplace=True)
        if a["activation"] == "leaky_relu":
            return F.leaky_relu(y, a["negative_slope"], inplace=True)
        return F.relu(y, inplace=True) if a["activation"] == "relu" else y

    def compute(self, node, x):
        op, a = node["op"], node["attributes"]
        if op == "conv":
            return self.conv(x[0], a)
        if op == "max_pool":
            return F.max_pool2d(x[0], a["kernel"], a["stride"], a["padding"])
        if op == "avg_pool":
            return F.avg_pool2d(x[0], a["kernel"], a["stride"])
        if op == "upsample":
            return F.interpolate(x[0], scale_factor=a["factor"], mode="nearest")
        if op == "concat":
            return torch.cat(x, 1)
        if op == "add":
            return sum(x[1:], x[0])
        if op == "slice":
            return x[0][:, a["begin"]:a["begin"] + a["channels"]]
        if op == "space_to_depth":
            return space_to_depth(x[0])
        if op == "decode_dfl":
            return decode_dfl(x, a)
        return decode_anchor(x, a, [getattr(self, f"anchors_{level}")
                                    for level in range(len(a["anchors"]))])

    def forward(self, picture):
        values = {0: picture}
        for i, node in enumerate(self.nodes):
            if i > 0:
                values[i] = self.compute(node, [values[v] for v in node["inputs"]])
            for dead in self.dead_after[i]:
                del values[dead]
        return values[len(self.nodes) - 1]


def make_runner(network, x, mode):
    """A call without arguments that computes network(x)."""
    if mode == "compile":
        compiled = torch.compile(network, mode="reduce-overhead")  # which uses CUDA graphs
        return lambda: compiled(x)
    if mode == "eager":
        return lambda: network(x)
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):  # capture wants kernels chosen and loaded
        for _ in range(3):
            network(x)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        network(x)
    return graph.replay


def time_on_gpu(run, iterations):
    """Milliseconds between events around each run; all are enqueued before the host waits."""
    events = [torch.cuda.Event(enable_timing=True) for _ in range(iterations + 1)]
    events[0].record()
    for event in events[1:]:
        run()
        event.record()
    torch.cuda.synchronize()
    return [a.elapsed_time(b) for a, b in zip(events, events[1:])]


def time_on_host(run, iterations):
    times = []
    for _ in range(iterations):
        start = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - start))
    return times


def measure(network, options, mode, batch):
    """Keys as of `yolocu bench --json`; p99 by nearest rank."""
    size = options.size or network.input_size
    x = torch.rand(batch, 3, size, size, device=options.device)
    x = x.to(network.dtype).contiguous(memory_format=torch.channels_last)
    run = make_runner(network, x, mode)
    timed = time_on_gpu if options.device == "cuda" else time_on_host
    timed(run, options.warmup)
    times = sorted(timed(run, options.iterations))
    return {"device": options.device, "precision": options.precision, "batch": batch,
            "size": f"{size}x{size}", "mode": mode, "torch": torch.__version__,
            "median_ms": statistics.median(times), "min_ms": times[0],
            "p99_ms": times[-(-99 * len(times) // 100) - 1], "iterations": len(times)}


def predict(network, options):
    shape, values = npy.read_npy(options.input)
    x = torch.tensor(values).reshape(shape).to(options.device).to(network.dtype)
    y = network(x.contiguous(memory_format=torch.channels_last)).cpu().contiguous()
    npy.write_npy(options.output, y.shape, y.flatten().tolist())


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("--input", help="fp32 [B,3,H,W] .npy; needs --output, times nothing")
    parser.add_argument("--output")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", choices=list(PRECISIONS), default="fp32")
    parser.add_argument("--batch", type=int, nargs="+", default=[1])
    parser.add_argument("--size", type=int, help="height and width [the model's]")
    parser.add_argument("--mode", choices=["eager", "graph", "compile"], nargs="+",
                        default=["eager"])
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--warmup", type=int, default=20)
    return parser.parse_args()


def main():
    options = parse_options()
    torch.backends.cudnn.benchmark = True
    with torch.inference_mode():
        network = PackedNetwork(options.model, PRECISIONS[options.precision]).to(options.device)
        if options.input:
            predict(network, options)
            return
        for mode in options.mode:
            for batch in options.batch:
                print(json.dumps(measure(network, options, mode, batch)), flush=True)


if __name__ == "__main__":
    main()
