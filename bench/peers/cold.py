"""A peer in a fresh process: load a model, read a picture, detect, print the boxes. Nothing else,
and no work at the end that is only for tidiness. Runs in the virtual environment.

Usage: cold.py REQUEST, JSON: backend, precision, threads, files, image, size
"""

import json
import os
import sys

import backends
import pictures

request = json.loads(sys.argv[1])
backend = backends.BACKENDS[request["backend"]](request["files"], request["precision"],
                                                request["threads"])
found = pictures.detect(backend, request["image"], request["size"])
print(json.dumps(found), flush=True)
os._exit(0)
