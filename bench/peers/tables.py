"""A report of bench/peers/run as text: Markdown tables whose columns are aligned."""

import statistics

MIB = 1 << 20
DISTURBED = 0.1  # cores of others: beyond that times are doubtful


def table(head, rows, left=1):
    """The first `left` columns to the left, the others to the right."""
    lines = [[str(cell) for cell in line] for line in [head, *rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]

    def text(line):
        cells = [cell.ljust(width) if i < left else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(line, widths))]
        return "| " + " | ".join(cells) + " |"

    rule = ["-" * width if i < left else "-" * (width - 1) + ":"
            for i, width in enumerate(widths)]
    return "\n".join([text(lines[0]), "| " + " | ".join(rule) + " |", *map(text, lines[1:])]) + "\n"


def names_of(sections):
    return list(dict.fromkeys(row["name"] for section in sections for row in section["rows"]))


def row_of(section, name):
    return next((row for row in section["rows"] if row["name"] == name), {})


def network_table(networks):
    """Medians with the range of the rounds; empty where there is a reason."""
    def cell(section, name):
        row = row_of(section, name)
        if "median_ms" not in row:
            return ""
        return f"{row['median_ms']:.1f} ({row['min_ms']:.1f}-{row['max_ms']:.1f})"

    head = ["ms: median (range)"] + [
        section["network"] + (f", {section['gflop']:.1f} GFLOP" if section.get("gflop") else "")
        for section in networks]
    return table(head, [[name, *(cell(section, name) for section in networks)]
                        for name in names_of(networks)])


def quotient_table(networks):
    rows = [[section["network"], q["what"], f"{q['above']} / {q['below']}",
             f"{q['quotient']:.3f}", f"{q['middle']:.3f} ({q['low']:.3f}-{q['high']:.3f})"]
            for section in networks for q in section.get("quotients", [])]
    head = ["network", "", "", "of medians", "of rounds: median (range)"]
    return table(head, rows, left=3) if rows else ""


def picture_table(section):
    def cells(row):
        def median(key, digits):
            return f"{statistics.median(row[key]):.{digits}f}" if row.get(key) else ""
        objects = str(row.get("objects", ""))
        if "differ" in row:
            objects += ", differ" if row["differ"] else ", the same"
        return [row["name"], median("cold_ms", 0), median("peak_mib", 0), median("warm_ms", 1),
                objects]

    head = [section["network"], "cold start ms", "peak MiB", "JPEG to boxes ms", "objects"]
    return table(head, [cells(row) for row in section["rows"]])


PICTURE_WORDS = {"cold_ms": "cold start", "peak_mib": "peak memory", "warm_ms": "JPEG to boxes"}


def picture_quotients(sections):
    rows = [[section["network"], PICTURE_WORDS[q["what"]], f"{q['above']} / {q['below']}",
             f"{q['quotient']:.2f}"] for section in sections for q in section.get("quotients", [])]
    return table(["network", "", "", "of medians"], rows, left=3) if rows else ""


def size_list(sizes):
    return "".join(
        f"- {name}: {sum(parts.values()) / MIB:.1f} MiB: " +
        ", ".join(f"{part} {size / MIB:.1f}"
                  for part, size in sorted(parts.items(), key=lambda item: -item[1])) + "\n"
        for name, parts in sizes.items())


def facts_list(facts):
    return "".join(f"- {key}: {value}\n" for key, value in facts.items())


def guard_table(sections):
    """How far everybody is from yolocu in fp32."""
    def cell(section, name):
        judged = row_of(section, name).get("guard")
        if not judged:
            return ""
        return f"{judged['sizes']:.1e} {judged['logits']:.1e} {judged['box']['mean']:.1e}"

    return table(["sizes, logits, px"] + [section["network"] for section in sections],
                 [[name, *(cell(section, name) for section in sections)]
                  for name in names_of(sections)])


def reasons(sections):
    """Of every empty cell, once for several networks."""
    places = {}
    for section in sections:
        if "reason" in section:
            places.setdefault(("all", section["reason"]), []).append(section["network"])
        for row in section["rows"]:
            if "reason" in row:
                places.setdefault((row["name"], row["reason"]), []).append(section["network"])
    return "".join(f"- {name} ({', '.join(dict.fromkeys(networks))}): {reason}\n"
                   for (name, reason), networks in places.items())


def differences(sections):
    return "".join(f"- {row['name']} ({section['network']}): {row['differ']}\n"
                   for section in sections for row in section["rows"] if row.get("differ"))


def disturbance_text(r):
    d = r["disturbance"]
    text = (f"{d['seconds']:.0f} s; load before {d['load_before']:.2f}; meanwhile other processes "
            f"used {d['others_cores']:.2f} cores.\n")
    return text + ("DISTURBED: measure again.\n" if d["others_cores"] > DISTURBED else "")


def parts(r):
    """Titles and texts, in order; a text may be empty."""
    s = r["settings"]
    networks, pictures = r["networks"], r["pictures"]
    yield (f"Network only, {s['size']}x{s['size']}, batch 1, {s['threads']} threads: {s['rounds']} "
           f"interleaved rounds,\nof each the median of {s['runs']} runs after {s['warmup']}."), \
        network_table(networks) if networks else ""
    yield "Below 1 the first is faster.", quotient_table(networks)
    for section in pictures:
        yield (f"From {s['image']} to boxes: medians of {s['picture_rounds']} interleaved rounds.",
               picture_table(section))
    yield "By the best peer of the same precision.", picture_quotients(pictures)
    yield "Installed, the C library and Python itself left out.", size_list(r["sizes"])
    once = list({section["network"]: section for section in networks + pictures}.values())
    yield ("Distance from yolocu in fp32: root mean square of box sizes and of logits by their "
           "deviation,\nmean of box coordinates in pixels."), guard_table(once) if once else ""
    yield "Empty cells:", reasons(networks + pictures)
    yield "Objects that differ from yolocu's in fp32:", differences(pictures)
    yield "Machine:", facts_list(r["machine"])
    yield "Versions:", facts_list(r["versions"])
    yield f"`{r['command']}`", disturbance_text(r)


def report(r):
    """All that there is; what was skipped is absent."""
    head = "A dry run: no time here says anything.\n\n" if r["dry_run"] else ""
    return head + "\n".join(f"{title}\n\n{text}" for title, text in parts(r) if text)
