"""What Python's configparser reads of texts like ~/.oci/config, as Oracle's SDK uses it.

Run it with Python 3 to write configparser.json anew. Each row is a text and its sections, or null where
configparser refuses the whole file.
"""

import configparser
import io
import itertools
import json
import os
import random

PARTS = [
    "[p]", "[p] # comment", "[p]x", " [p]", "[ p ]", "[P]", "[DEFAULT]", "[default]", "[q]", "[]", "[p", "[a]b]",
    "k=v", "k: v", "k = v", "k : v", "k =: v", "k==v", "K=w", "k", "k=", "=v", ": v", "k=v # no comment",
    "k=v ; no comment", "k y=1", "# comment", "; comment", "  # comment", "  more", "\tmore=1", "      [q]", "", "  ",
    "x=1", " x=1", "x=%(k)s", 'x="1"', "!x=1", "\u00c4=1", "\u0130=1", "x=\u00a0v\u00a0", "\x0bx=1", "x=1\x0c", "x=1\x1c",
    "x=1\u20282", "x=1\x852",
]


def read(text):
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_file(io.StringIO(text, newline=None))
    except configparser.Error:
        return None
    return {name: dict(parser[name]) for name in parser}


def main():
    chance = random.Random(1)
    texts = ["[p]\n" + "\n".join(pair) for pair in itertools.product(PARTS, repeat=2)]
    for _ in range(3000):
        lines = [chance.choice(PARTS) for _ in range(chance.randint(3, 9))]
        texts.append(chance.choice(["\n", "\n", "\n", "\r\n", "\r"]).join(lines))
    kept, seen = [], 0
    for text in texts:
        result = read(text)
        # those that are refused are most
        if result is not None or seen % 9 == 0:
            kept.append([text, result])
        seen += result is None
    folder = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(folder, "configparser.json"), "w", encoding="ascii") as file:
        file.write("[\n" + ",\n".join(json.dumps(row) for row in kept) + "\n]\n")


main()
