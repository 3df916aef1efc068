"""What the kernel tells about processes and the machine."""
import os
import platform

HZ = os.sysconf("SC_CLK_TCK")


def tree(pid):
    """`pid` and all that descend from it."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (stat := _stat(int(entry))):
            children.setdefault(int(stat[1]), []).append(int(entry))
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


def cpu_seconds(pid):
    """User and system time of a process tree, threads that have ended included."""
    return sum((int(stat[11]) + int(stat[12])) / HZ for stat in map(_stat, tree(pid)) if stat)


def memory(pid):
    """kB summed over a process tree: resident now, the most that was resident, anonymous now, proportional now."""
    total = dict.fromkeys(("VmRSS", "VmHWM", "RssAnon", "Pss"), 0)
    for member in tree(pid):
        for name in ("status", "smaps_rollup"):
            try:
                with open(f"/proc/{member}/{name}") as lines:
                    for line in lines:
                        key, _, value = line.partition(":")
                        if key in total:
                            total[key] += int(value.split()[0])
            except OSError:
                pass
    return total


def cores():
    """Ticks of each core since boot: idle, stolen by the host, all."""
    ticks = {}
    with open("/proc/stat") as lines:
        for line in lines:
            if line.startswith("cpu") and line[3].isdigit():
                name, *values = line.split()
                v = [int(value) for value in values]
                ticks[name] = {"idle": v[3] + v[4], "steal": v[7], "all": sum(v[:8])}
    return ticks


def passed(before, after):
    """Ticks of each core between two looks."""
    return {core: {kind: after[core][kind] - before[core][kind] for kind in before[core]} for core in before}


def name():
    """The machine in a few words."""
    model = next((line.partition(":")[2].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    with open("/etc/os-release") as lines:
        system = dict(line.rstrip().split("=", 1) for line in lines if "=" in line)
    return f"{os.cpu_count()} cores of {model}, Linux {platform.release()}, {system.get('PRETTY_NAME', '').strip(chr(34))}"


def _stat(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            text = file.read()
    except OSError:
        return None
    return text[text.rindex(")") + 2:].split()
