"""dlt with a destination of our own: hundreds of rows, as many load jobs at a time as the loader has requests. It neither polls nor keeps results.

usage: dlt_load.py INPUT.csv URL FOLDER
"""

import csv
import sys
import uuid

import dlt
import requests

SOURCE, URL, FOLDER = sys.argv[1:]
SESSION = requests.Session()


@dlt.destination(batch_size=100, loader_file_format="typed-jsonl", name="bulk", max_parallel_load_jobs=5)
def bulk(rows, _table):
    items = [
        {
            "externalId": row["crm_id"],
            "name": f"{row['first_name']} {row['last_name']}",
            "email": row["email"].lower(),
            "details": [{"name": name, "values": [row[name]]} for name in ("plan", "country", "seats")],
        }
        for row in rows
    ]
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    SESSION.post(f"{URL}/bulk", json={"items": items}, headers=headers).raise_for_status()


@dlt.resource(name="customers")
def customers():
    with open(SOURCE, newline="") as file:
        page = []
        for row in csv.DictReader(file):
            page.append(row)
            if len(page) == 5_000:
                yield page
                page = []
        if page:
            yield page


dlt.pipeline("peer", destination=bulk, pipelines_dir=FOLDER).run(customers())
