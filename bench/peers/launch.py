"""Runs a command and tells, on its last line of output, how long it took and the most memory that
it held: {"ms", "peak_kib", "exit"}. A process of its own, because Linux counts into a child's peak
what its parent held when it was started (about 10 MB here).

Usage: launch.py COMMAND [WORD...]
"""

import json
import os
import sys
import time

start = time.perf_counter()
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
print("\n" + json.dumps({"ms": 1e3 * (time.perf_counter() - start), "peak_kib": usage.ru_maxrss,
                         "exit": os.waitstatus_to_exitcode(status)}))
