"""Bodies, requests and expected rewrites of the bench. Deterministic; every name is made up."""
import json
import os
import uuid

PATCHOP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENT = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
# As long as a token of an IdP; it opens nothing.
TOKEN = "eyJhbGciOiJub25lIn0." + "QmVuY2hPbmx5Tm9TZWNyZXQ" * 7


def uid(n):
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "urn:bench:%d" % n))


def dump(v):
    return json.dumps(v, separators=(",", ":")).encode()


def user(n):
    """A compliant User as an app answers it, about 1.45 kB."""
    i = uid(n)
    return {
        "schemas": [USER, ENT],
        "id": i,
        "externalId": uid(n + 10_000_000),
        "meta": {
            "resourceType": "User",
            "created": "2026-02-03T04:05:06.789Z",
            "lastModified": "2026-08-09T10:11:12.131Z",
            "location": "https://app.example/scim/v2/Users/" + i,
            "version": 'W/"a%d"' % n,
        },
        "userName": "person.%06d@corp.example" % n,
        "name": {
            "formatted": "Pat Q. Person%06d" % n,
            "familyName": "Person%06d" % n,
            "givenName": "Pat",
            "middleName": "Quinn",
        },
        "displayName": "Pat Person%06d" % n,
        "nickName": "Pat",
        "title": "Senior Field Engineer",
        "userType": "Employee",
        "preferredLanguage": "en-GB",
        "locale": "en-GB",
        "timezone": "Europe/Berlin",
        "active": True,
        "emails": [
            {"value": "person.%06d@corp.example" % n, "type": "work", "primary": True},
            {"value": "pat%06d@home.example" % n, "type": "home", "primary": False},
        ],
        "phoneNumbers": [
            {"value": "+49 30 5550%06d" % n, "type": "work"},
            {"value": "+49 170 555%06d" % n, "type": "mobile"},
        ],
        "addresses": [
            {
                "type": "work",
                "primary": True,
                "streetAddress": "Example Street %d" % (n % 300),
                "locality": "Berlin",
                "region": "BE",
                "postalCode": "10115",
                "country": "DE",
                "formatted": "Example Street %d, 10115 Berlin, DE" % (n % 300),
            }
        ],
        ENT: {
            "employeeNumber": "E%06d" % n,
            "costCenter": "CC-4130",
            "organization": "Example Corp",
            "division": "Field",
            "department": "Service North",
            "manager": {"value": uid(7), "displayName": "Max Manager"},
        },
    }


RENAME = {
    "userName": "username",
    "displayName": "DisplayName",
    "externalId": "externalid",
    "phoneNumbers": "phonenumbers",
    "familyName": "familyname",
    "givenName": "GivenName",
    "streetAddress": "streetaddress",
    "primary": "Primary",
    "nickName": "nickname",
}


def dirty(v, key=None):
    """The same resource as a sloppy IdP sends it: wrong case, string booleans."""
    if isinstance(v, dict):
        return {RENAME.get(k, k): dirty(x, k) for k, x in v.items()}
    if isinstance(v, list):
        return [dirty(x) for x in v]
    if isinstance(v, bool):
        return "True" if v else "False"
    return v


def put_user(n, with_id):
    """Clean body of a PUT/POST, about 1.4 kB."""
    u = user(n)
    del u["meta"]
    if not with_id:
        del u["id"]
    u["name"]["honorificPrefix"] = "Dr"
    u["profileUrl"] = "https://intranet.corp.example/people/%06d/profile" % n
    return u


def write(d):
    os.makedirs(d, exist_ok=True)

    def put(name, data):
        with open(os.path.join(d, name), "wb") as f:
            f.write(data)
        return os.path.join(d, name)

    lst = lambda n: {"schemas": [LIST], "totalResults": n, "startIndex": 1, "itemsPerPage": n,
                     "Resources": [user(i) for i in range(1, n + 1)]}
    group = {"schemas": [GROUP], "id": uid(500), "displayName": "Field North",
             "meta": {"resourceType": "Group", "location": "https://app.example/scim/v2/Groups/" + uid(500)}}
    put("resp_user.json", dump(user(1)))
    put("resp_list1.json", dump(lst(1)))
    put("resp_list100.json", dump(lst(100)))
    put("resp_group.json", dump(group))

    expected = {}
    def req(name, method, target, sent=None, want=None):
        head = "%s %s HTTP/1.1\r\nHost: app.example\r\nUser-Agent: bench-idp/1.0\r\nAuthorization: Bearer %s\r\nAccept: application/scim+json\r\n" % (
            method, target, TOKEN)
        body = b""
        if sent is not None:
            body = dump(sent)
            head += "Content-Type: application/scim+json; charset=utf-8\r\nContent-Length: %d\r\n" % len(body)
            put(name + ".json", body)
            expected[name] = {"sent": sent, "want": want}
        return put(name + ".req", head.encode() + b"\r\n" + body)

    u1, g1 = uid(1), uid(500)
    get_user = req("get_user", "GET", "/scim/v2/Users/" + u1)
    get_filter = req("get_filter", "GET", "/scim/v2/Users?filter=userName%20eq%20%22person.000001%40corp.example%22&startIndex=1&count=1")
    get_list = req("get_list", "GET", "/scim/v2/Users?startIndex=1&count=100")
    patch_user = req(
        "patch_user", "PATCH", "/scim/v2/Users/" + u1,
        {"schemas": [PATCHOP], "Operations": [
            {"op": "Replace", "path": "active", "value": "False"},
            {"op": "Add", "path": "displayname", "value": "Pat Person000001"},
            {"op": "Replace", "value": {"username": "person.000001@corp.example", "title": "Engineer"}}]},
        {"schemas": [PATCHOP], "Operations": [
            {"op": "replace", "path": "active", "value": False},
            {"op": "add", "path": "displayName", "value": "Pat Person000001"},
            {"op": "replace", "value": {"userName": "person.000001@corp.example", "title": "Engineer"}}]})
    patch_remove = req(
        "patch_remove", "PATCH", "/scim/v2/Groups/" + g1,
        {"Operations": [
            {"op": "Remove", "path": "members", "value": [{"value": uid(2)}, {"value": uid(3)}]},
            {"op": "Replace", "path": "displayname", "value": "Field North and Service North"},
            {"op": "Add", "path": "externalid", "value": uid(10_000_500)}]},
        {"schemas": [PATCHOP], "Operations": [
            {"op": "remove", "path": 'members[value eq "%s"]' % uid(2)},
            {"op": "remove", "path": 'members[value eq "%s"]' % uid(3)},
            {"op": "replace", "path": "displayName", "value": "Field North and Service North"},
            {"op": "add", "path": "externalId", "value": uid(10_000_500)}]})
    patch_add = req(
        "patch_add", "PATCH", "/scim/v2/Groups/" + g1,
        {"schemas": [PATCHOP], "Operations": [{"op": "Add", "path": "members", "value": [{"value": uid(2)}]}]},
        {"schemas": [PATCHOP], "Operations": [{"op": "add", "path": "members", "value": [{"value": uid(2)}]}]})
    put_clean, post_clean = put_user(1, True), put_user(1, False)
    put_sent, post_sent = dirty(put_clean), dirty(post_clean)
    put_sent.pop("schemas")
    put_want = dict(put_clean, schemas=[USER])
    # the extension stays in the body, so naming it in `schemas` as well is as good
    expected["_also"] = {"put_user": dict(put_clean, schemas=[USER, ENT])}
    put_ = req("put_user", "PUT", "/scim/v2/Users/" + u1, put_sent, put_want)
    post_ = req("post_user", "POST", "/scim/v2/Users", post_sent, post_clean)

    def members(n):
        return [{"value": uid(1000 + i), "display": "Pat Quinn Person%06d" % i} for i in range(n)]

    def big(n):
        return ({"schemas": [PATCHOP], "Operations": [{"op": "Add", "path": "members", "value": members(n)}]},
                {"schemas": [PATCHOP], "Operations": [{"op": "add", "path": "members", "value": members(n)}]})

    patch_1000 = req("patch_group_1000", "PATCH", "/scim/v2/Groups/" + g1, *big(1000))
    put("patch_group_20000.json", dump(big(20000)[0]))

    # W6: 70 % filter GET, 15 % PATCH user, 10 % POST, 5 % group PATCH, spread evenly over 20
    f, p, c, g = 0, 1, 2, 3
    cycle = [f, f, p, f, f, c, f, f, f, p, f, f, g, f, f, p, f, f, c, f]
    assert [cycle.count(x) for x in (f, p, c, g)] == [14, 3, 2, 1]
    work = {
        "W1": {"what": "GET user, 1.4 kB answer", "reqs": [get_user], "cycle": [0]},
        "W2": {"what": "PATCH small, dirty", "reqs": [patch_user, patch_remove], "cycle": [0, 1], "names": ["patch_user", "patch_remove"]},
        "W3": {"what": "PUT/POST full user, dirty", "reqs": [put_, post_], "cycle": [0, 1], "names": ["put_user", "post_user"]},
        "W4": {"what": "GET list of 100, 145 kB answer", "reqs": [get_list], "cycle": [0]},
        "W5": {"what": "PATCH group, 1,000 members", "reqs": [patch_1000], "cycle": [0], "names": ["patch_group_1000"]},
        "W6": {"what": "mixed Entra cycle", "reqs": [get_filter, patch_user, post_, patch_add], "cycle": cycle,
               "names": ["patch_user", "post_user", "patch_add"]},
    }
    return work, expected

