"""A report of gpu_report as JSON and Markdown."""

import json


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


def markdown(report):
    text = f"# {report['card']}, {report['date']}\n\n"
    if report["dry_run"]:
        text += "A dry run without a GPU: no GPU was used, and no time here says anything of one.\n\n"
    if report["facts"]:
        text += table(["nvidia-smi", ""], [[k, v] for k, v in report["facts"].items()]) + "\n"
    rows = [[s["name"], s["status"], s["seconds"], s["text"].replace("|", "/")]
            for s in report["steps"]]
    text += table(["step", "status", "s", ""], rows)
    if report["networks"]:
        text += "\nNetwork only, input resident, ms: median (p99).\n\n"
        text += network_table(report["networks"])
    if report.get("kernels"):
        rows = [[k["name"], f"{k['real_time']:.3f} {k['time_unit']}"] for k in report["kernels"]]
        text += "\n" + table(["kernel", "time"], rows)
    return text


def write(report, folder, name):
    """Writes <folder>/<name>.json and .md; the path of the first."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    (folder / f"{name}.md").write_text(markdown(report))
    return path
