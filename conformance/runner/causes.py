"""Why a check still fails through the shim: rules in `causes.toml`, tried in order, the first that fits counts."""
import fnmatch
import tomllib

LIFTABLE = ("emulation", "mapping", "repair")


class Rule:
    def __init__(self, number, table, causes):
        unknown = set(table) - {"server", "suite", "check", "detail", "cause", "reason"}
        if unknown:
            raise ValueError(f"rule {number}: unknown key {sorted(unknown)[0]}")
        if table.get("cause") not in causes:
            raise ValueError(f"rule {number}: cause {table.get('cause')!r} is not in [causes]")
        if not table.get("reason"):
            raise ValueError(f"rule {number}: no reason")
        self.number, self.cause, self.reason = number, table["cause"], table["reason"]
        self.wanted = {key: self.patterns(table.get(key, "*")) for key in ("server", "suite", "check", "detail")}
        self.hits = 0

    @staticmethod
    def patterns(text):
        return text if isinstance(text, list) else [text]

    def fits(self, **facts):
        # Brackets stand in names of checks and are no wildcards here.
        return all(any(fnmatch.fnmatchcase(facts[key], one.replace("[", "[[]")) for one in patterns)
                   for key, patterns in self.wanted.items())

    def __str__(self):
        return f"rule {self.number} ({', '.join(f'{k} {v[0]!r}' for k, v in self.wanted.items() if v != ['*'])})"


class Causes:
    def __init__(self, text):
        document = tomllib.loads(text)
        self.causes = document["causes"]
        for name, cause in self.causes.items():
            if cause.get("kind") not in (*LIFTABLE, "no") or not cause.get("title"):
                raise ValueError(f"cause {name}: kind must be emulation, mapping, repair or no; title must be there")
        self.rules = [Rule(number, table, self.causes) for number, table in enumerate(document["rule"], 1)]

    def of(self, server, suite, check):
        """-> the rule that fits a failed check, or None."""
        facts = {"server": server, "suite": suite, "check": check["id"], "detail": check.get("detail", "")}
        for rule in self.rules:
            if rule.fits(**facts):
                rule.hits += 1
                return rule
        return None

    def idle(self):
        """Rules that were the first to fit for nothing: stale, or behind a wider one."""
        return [rule for rule in self.rules if not rule.hits]
