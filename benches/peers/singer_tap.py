"""A CSV file as a Singer stream.

usage: singer_tap.py INPUT.csv | singer_target.py --config CONFIG.json
"""

import csv
import json
import sys

with open(sys.argv[1], newline="") as file:
    rows = csv.DictReader(file)
    properties = {name: {"type": ["string", "null"]} for name in rows.fieldnames}
    schema = {"properties": properties, "key_properties": ["crm_id"]}
    print(json.dumps({"type": "SCHEMA", "stream": "customers", "schema": schema, "key_properties": ["crm_id"]}))
    for row in rows:
        sys.stdout.write(json.dumps({"type": "RECORD", "stream": "customers", "record": row}) + "\n")
