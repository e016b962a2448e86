#!/usr/bin/env python3
"""Checks a draw from its public proof and list, with Python's standard library alone.

    python3 verify_draw.py https://tickets.example/queue/DROP/draw [--order FILE] [--place PLACE]
    python3 verify_draw.py proof.json      (as `onsale draw verify URL --save proof.json` wrote it)

It says what is good, BAD or open, and ends with 1 if anything is bad. The one thing it leaves to you is the
beacon's signature, which takes elliptic curves: it prints where drand publishes the round, and you compare.
"""

import argparse
import base64
import hashlib
import hmac
import json
import sys
import urllib.parse
import urllib.request
from datetime import datetime, timedelta, timezone

QUICKNET = {
    "chain": "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971",
    "public_key": "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451"
    "0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a",
    "scheme": "bls-unchained-g1-rfc9380", "genesis_s": 1692803367, "period_s": 3,
}
SECOND = 1_000_000  # times are whole microseconds
bad = 0


def say(outcome, name, found):
    global bad
    word = {True: "good", False: "BAD ", None: "open"}[outcome]
    bad += outcome is False
    print(f"{word}  {name}: {found}")


def sha256(data):
    return hashlib.sha256(data).digest()


def micros(text):
    at = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    return (at - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(microseconds=1)


def merkle_root(places):
    """RFC 6962: leaves are SHA-256(0x00, place), nodes SHA-256(0x01, left, right); an odd one is lifted."""
    level = [sha256(b"\0" + place) for place in places]
    while len(level) > 1:
        pairs = [sha256(b"\1" + level[i] + level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2:]
    return level[0] if level else sha256(b"")


def round_at(beacon, at):
    """The first round at or after a time."""
    since = max(0, at - beacon["genesis_s"] * SECOND)
    return -(-since // (beacon["period_s"] * SECOND)) + 1


def check_secret(proof):
    if proof["secret"] is None:
        return say(False if proof["state"] in ("drawing", "drawn") else None, "seed", "the secret is not revealed")
    committed = sha256(bytes.fromhex(proof["secret"])).hex()
    say(committed == proof["commitment"], "commitment", f"SHA-256 of the secret is {committed}")
    say(proof["seed"] == proof["secret"] and proof["seed_from"] == "secret", "seed", "it is the secret")
    say(None, "bound to the list", "a secret binds the organiser to no list of entrants")


def check_beacon(proof, trusted):
    beacon, late = proof["beacon"], proof["state"] in ("drawing", "drawn")
    say(all(beacon[name] == trusted[name] for name in trusted), "beacon", f"chain {beacon['chain']}")
    if proof["frozen_at"] is None or beacon["round"] is None:
        return say(False if late else None, "round", "the list is open")
    frozen = micros(proof["frozen_at"])
    due = round_at(trusted, frozen + 30 * SECOND)
    if proof["lobby_closes_at"] is not None:
        due = max(due, round_at(trusted, micros(proof["lobby_closes_at"]) + 37 * SECOND))
    say(beacon["round"] == due, "round", f"round {beacon['round']}; by the rules it is {due}")
    shown = (trusted["genesis_s"] + (beacon["round"] - 1) * trusted["period_s"]) * SECOND - frozen
    say(shown >= 30 * SECOND, "shown beforehand", f"the list was shown {shown // SECOND} s before the round")
    if proof["seed_from"] == "secret":
        say(proof["why"] is not None, "fall-back", f"the seed is not from the beacon: {proof['why']}")
        return check_secret(proof)
    if beacon["signature"] is None:
        return say(False if late else None, "signature", "the round is not known")
    say(None, "signature", f"compare {beacon['signature']}\n      with https://api.drand.sh/{trusted['chain']}/public/{due}")
    randomness = sha256(bytes.fromhex(beacon["signature"]))
    say(randomness.hex() == beacon["randomness"], "randomness", f"SHA-256 of the signature is {randomness.hex()}")
    root = bytes.fromhex(proof["entrants"]["root"])
    seed = sha256(b"onsale draw 1\0" + proof["drop"].encode() + b"\0" + root + randomness).hex()
    say(proof["seed"] == seed and proof["seed_from"] == "round", "seed", seed)


def load(source):
    if not source.startswith(("http://", "https://")):
        with open(source, "rb") as file:
            proof = json.load(file)
        places = (proof["entrants"] or {}).get("places")
        return proof, None if places is None else base64.urlsafe_b64decode(places + "==")
    proof = json.load(urllib.request.urlopen(source, timeout=120))
    if proof["entrants"] is None:
        return proof, None
    return proof, urllib.request.urlopen(urllib.parse.urljoin(source, proof["entrants"]["list"]), timeout=120).read()


def main():
    asked = argparse.ArgumentParser(description="Checks a draw.")
    asked.add_argument("source")
    asked.add_argument("--order", help="write the whole order to this file")
    asked.add_argument("--place", help="say which number this place has")
    asked.add_argument("--beacon", help="another chain than quicknet, as JSON", type=json.loads, default=QUICKNET)
    asked = asked.parse_args()
    proof, data = load(asked.source)
    say(proof["algorithm"] == "onsale-draw-1", "algorithm", proof["algorithm"])
    places = None
    if data is None:
        say(None if proof["entrants"] is None and proof["state"] == "announced" else False, "list", "no list is shown")
    else:
        places = [data[i:i + 16] for i in range(0, len(data), 16)]
        ascending = len(data) % 16 == 0 and all(a < b for a, b in zip(places, places[1:]))
        say(ascending and len(places) == proof["entrants"]["count"], "list", f"{len(places)} places, ascending")
        root = merkle_root(places).hex()
        say(root == proof["entrants"]["root"], "root", root)
    check_beacon(proof, asked.beacon) if proof["source"] == "beacon" else check_secret(proof)
    if places is None or proof["seed"] is None or bad:
        sys.exit(1 if bad or asked.order or asked.place else 0)
    seed, below = bytes.fromhex(proof["seed"]), micros(proof["opens_at"]) - 1
    order = []
    for place in places:
        first_50_bits = int.from_bytes(hmac.digest(seed, place, "sha256")[:8], "big") >> 14
        order.append((below - first_50_bits, base64.urlsafe_b64encode(place).decode().rstrip("=")))
    order.sort()
    say(True, "order", f"{len(order)} places have their keys")
    lines = [f"{number} {place} {key}\n" for number, (key, place) in enumerate(order, 1)]
    print("".join(lines[:10]), end="")
    if asked.order:
        with open(asked.order, "w", newline="\n") as file:
            file.writelines(lines)
    if asked.place:
        mine = [line for line in lines if line.split()[1] == asked.place]
        print(f"of {len(lines)}: {mine[0] if mine else 'not on the list'}", end="")
        sys.exit(0 if mine else 1)


if __name__ == "__main__":
    main()
