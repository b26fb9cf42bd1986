"""What a data engineer writes in an afternoon: csv and httpx, five workers, hundreds of rows, polls, results in a file. No validation, no retries,
nothing durable before a request leaves.

usage: httpx_load.py INPUT.csv URL RESULTS.csv
"""

import asyncio
import csv
import sys
import uuid

import httpx

WORKERS = 5
ROWS = 100


def item(row):
    return {
        "externalId": row["crm_id"],
        "name": f"{row['first_name']} {row['last_name']}",
        "email": row["email"].lower(),
        "details": [{"name": name, "values": [row[name]]} for name in ("plan", "country", "seats")],
    }


def batches(path):
    with open(path, newline="") as file:
        batch = []
        for row in csv.DictReader(file):
            batch.append(item(row))
            if len(batch) == ROWS:
                yield batch
                batch = []
        if batch:
            yield batch


async def work(client, queue, results):
    while (batch := await queue.get()) is not None:
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        accepted = await client.post("/bulk", json={"items": batch}, headers=headers)
        accepted.raise_for_status()
        task = accepted.json()["id"]
        ended = await client.get(f"/tasks/{task}")
        status = ended.raise_for_status().json()["status"]
        results.writerows([row["externalId"], status, task] for row in batch)


async def main(source, url, results_path):
    queue = asyncio.Queue(maxsize=2 * WORKERS)
    limits = httpx.Limits(max_connections=WORKERS)
    with open(results_path, "w", newline="") as file:
        results = csv.writer(file)
        results.writerow(["externalId", "status", "task"])
        async with httpx.AsyncClient(base_url=url, limits=limits) as client:
            workers = [asyncio.create_task(work(client, queue, results)) for _ in range(WORKERS)]
            for batch in batches(source):
                await queue.put(batch)
            for _ in workers:
                await queue.put(None)
            await asyncio.gather(*workers)


asyncio.run(main(*sys.argv[1:]))
