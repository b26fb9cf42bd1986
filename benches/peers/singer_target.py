"""A Singer target by singer-sdk: hundreds of rows, one request at a time. It neither polls nor keeps results."""

import uuid

import requests
from singer_sdk import BatchSink, Target
from singer_sdk import typing as th

SESSION = requests.Session()


class BulkSink(BatchSink):
    max_size = 100

    def process_batch(self, context):
        items = [
            {
                "externalId": row["crm_id"],
                "name": f"{row['first_name']} {row['last_name']}",
                "email": row["email"].lower(),
                "details": [{"name": name, "values": [row[name]]} for name in ("plan", "country", "seats")],
            }
            for row in context["records"]
        ]
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        SESSION.post(self.config["url"] + "/bulk", json={"items": items}, headers=headers).raise_for_status()


class BulkTarget(Target):
    name = "target-bulk"
    config_jsonschema = th.PropertiesList(th.Property("url", th.StringType, required=True)).to_dict()
    default_sink_class = BulkSink


if __name__ == "__main__":
    BulkTarget.cli()
