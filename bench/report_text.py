"""A report of gpu_report as JSON and Markdown."""

import json

import kernel_table


def table(head, rows):
    lines = [head, ["---"] * len(head)] + rows
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def milliseconds(network):
    return f"{network['median_ms']:.3f} ({network['p99_ms']:.3f})"


def network_table(networks):
    """A line for each model and batch, a column for each runner: median (p99) in ms."""
    runners = list(dict.fromkeys(n["runner"] for n in networks))
    cases = list(dict.fromkeys((n["model"], n["size"], n["batch"]) for n in networks))
    cells = {(n["model"], n["size"], n["batch"], n["runner"]): milliseconds(n) for n in networks}
    rows = [[*case, *(cells.get((*case, runner), "") for runner in runners)] for case in cases]
    return table(["model", "input", "batch", *runners], rows)


def kernel_tables(rows):
    """Sums by family, and the slowest cases."""
    number = lambda value: "" if value is None else f"{value:.1f}"
    text = ("\nLaunches of gelan-c by themselves, operands in DRAM; us: the sum of layers x time. "
            "All cases are in the JSON file.\n\n")
    text += table(["family", "layers", "us"],
                  [[name, layers, number(us)]
                   for name, (layers, us) in kernel_table.families(rows).items()])
    text += f"\nThe {kernel_table.SLOWEST} of the largest layers x time:\n\n"
    return text + table(
        ["kernel", "layers", "layers x us", "us", "cuBLASLt us", "TFLOP/s", "GB/s", "roof_%"],
        [[row["name"], int(row["layers"]), number(kernel_table.total_us(row)),
          number(row["real_time"]), number(peer),
          *(number(row.get(key)) for key in ("TFLOP/s", "GB/s", "roof_%"))]
         for row, peer in kernel_table.slowest(rows)])


def markdown(report):
    text = f"# {report['card']}, {report['date']}\n\n"
    if report["dry_run"]:
        text += ("A dry run without a GPU: no GPU was used, and no time here says anything of one."
                 "\n\n")
    if report["facts"]:
        text += table(["nvidia-smi", ""], [[k, v] for k, v in report["facts"].items()]) + "\n"
    rows = [[s["name"], s["status"], s["seconds"], s["text"].replace("|", "/")]
            for s in report["steps"]]
    text += table(["step", "status", "s", ""], rows)
    if report["networks"]:
        text += "\nNetwork only, input resident, ms: median (p99).\n\n"
        text += network_table(report["networks"])
    if report.get("kernels"):
        text += kernel_tables(report["kernels"])
    return text


def write(report, folder, name):
    """Writes <folder>/<name>.json and .md; the path of the first."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    (folder / f"{name}.md").write_text(markdown(report))
    return path
