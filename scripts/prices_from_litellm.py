#!/usr/bin/env python3
"""Makes crates/core/src/price/builtin.json from the price list in the PyPI package litellm.

usage: prices_from_litellm.py LITELLM_WHEEL AS_OF > crates/core/src/price/builtin.json

Prices are facts: this takes the tokens' prices of Bedrock's text models, in dollars per million, with where and when
they were read. A name such as bedrock/ap-south-1/MODEL is a region's own price; hourly commitments are left out. `pip download --no-deps litellm` fetches the wheel.
"""
import json
import pathlib
import re
import sys
import zipfile

ROUTES = ("us", "eu", "apac", "au", "ca", "jp", "global", "us-gov")
PROVIDERS = ("bedrock", "bedrock_converse")
REGION = re.compile(r"bedrock/([a-z]+-[a-z-]+-\d)/([^/]+)")


def million(price):
    return None if price is None else round(price * 1e6, 6)


def main(wheel, as_of):
    with zipfile.ZipFile(wheel) as archive:
        models = json.loads(archive.read("litellm/model_prices_and_context_window_backup.json"))
    rows = []
    for name, model in models.items():
        regional = REGION.fullmatch(name)
        region, name = regional.groups() if regional else (None, name)
        if model.get("litellm_provider") not in PROVIDERS or model.get("mode") != "chat" or "/" in name or "@" in name:
            continue
        if "." not in name or not model.get("input_cost_per_token") or not model.get("output_cost_per_token"):
            continue
        prefix, _, rest = name.partition(".")
        route, model_id = (prefix, rest) if prefix in ROUTES and "." in rest else ("none", name)
        cache = [million(model.get(f"cache_{kind}_input_token_cost")) for kind in ("read", "creation")]
        prices = [million(model["input_cost_per_token"]), million(model["output_cost_per_token"]), *cache]
        rows.append([model_id, route, region, *prices])
    general = {(row[0], row[1]): row[3:] for row in rows if row[2] is None}
    # A region that costs what every other does needs no row.
    rows = [row for row in rows if row[2] is None or general.get((row[0], row[1])) != row[3:]]
    rows.sort(key=lambda row: (row[0], row[1], row[2] or ""))
    version = pathlib.Path(wheel).name.split("-")[1]
    lines = ",\n".join("    " + json.dumps(row) for row in rows)
    print(f'{{\n  "source": "PyPI litellm {version}, model_prices_and_context_window_backup.json",\n  "as_of": "{as_of}",')
    print('  "columns": ["model_id", "route", "region", "input", "output", "cache_read", "cache_write"],')
    print(f'  "rows": [\n{lines}\n  ]\n}}')


if __name__ == "__main__":
    main(*sys.argv[1:])
