"""Why a check still fails through the shim: rules in `causes.toml`, tried in order, the first that fits counts."""
import fnmatch
import tomllib

LIFTABLE = ("emulation", "mapping", "repair")


class Rule:
    """Patterns over the facts of a check, and what is said of those that fit."""

    def __init__(self, name, table, facts, more=()):
        unknown = set(table) - {*facts, *more, "reason"}
        if unknown:
            raise ValueError(f"{name}: unknown key {sorted(unknown)[0]}")
        if not table.get("reason"):
            raise ValueError(f"{name}: no reason")
        self.name, self.cause, self.reason = name, table.get("cause"), table["reason"]
        self.wanted = {key: self.patterns(table.get(key, "*")) for key in facts}
        self.hits = 0

    @staticmethod
    def patterns(text):
        return text if isinstance(text, list) else [text]

    def fits(self, **facts):
        # Brackets stand in names of checks and are no wildcards here.
        return all(any(fnmatch.fnmatchcase(facts[key], one.replace("[", "[[]")) for one in patterns)
                   for key, patterns in self.wanted.items())

    def __str__(self):
        return f"{self.name} ({', '.join(f'{k} {v[0]!r}' for k, v in self.wanted.items() if v != ['*'])})"


class Causes:
    def __init__(self, text):
        document = tomllib.loads(text)
        self.causes = document["causes"]
        for name, cause in self.causes.items():
            if cause.get("kind") not in (*LIFTABLE, "no") or not cause.get("title"):
                raise ValueError(f"cause {name}: kind must be emulation, mapping, repair or no; title must be there")
        facts = ("server", "suite", "check", "detail")
        self.rules = [Rule(f"rule {n}", table, facts, ["cause"]) for n, table in enumerate(document.get("rule", []), 1)]
        for rule in self.rules:
            if rule.cause not in self.causes:
                raise ValueError(f"{rule.name}: cause {rule.cause!r} is not in [causes]")
        facts = ("server", "suite", "mode", "check")
        self.unavoidable = [Rule(f"unavoidable {n}", table, facts) for n, table in enumerate(document.get("unavoidable", []), 1)]

    def of(self, server, suite, check):
        """-> the rule that fits a failed check, or None."""
        return self.first(self.rules, server=server, suite=suite, check=check["id"], detail=check.get("detail", ""))

    def why_lost(self, server, suite, mode, check):
        """-> the rule that says why a check that passes directly must fail through the shim, or None: then it is a bug."""
        return self.first(self.unavoidable, server=server, suite=suite, mode=mode, check=check)

    @staticmethod
    def first(rules, **facts):
        rule = next((rule for rule in rules if rule.fits(**facts)), None)
        if rule:
            rule.hits += 1
        return rule

    def idle(self):
        """Rules that were the first to fit for nothing: stale, or behind a wider one."""
        return [rule for rule in (*self.rules, *self.unavoidable) if not rule.hits]
