"""`letterpress features`: raw events to marts to a published snapshot; or their catalogue, or their audit."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from letterpress.cli.output import JsonOption, print_result
from letterpress.errors import RefusedError, UsageError

RangeOption = Annotated[
    str | None,
    typer.Option("--range", help="Raw hours that changed, e.g. 2026-01-05T03--2026-01-05T04; else all."),
]
RefreshOption = Annotated[
    bool, typer.Option("--full-refresh", help="Drop the marts and build them from nothing.")
]
ListOption = Annotated[
    bool, typer.Option("--list", help="Build nothing; list every declared feature and who uses it.")
]
SearchOption = Annotated[
    str, typer.Option("--search", help="With --list: only features that hold all of these words.")
]
AuditOption = Annotated[
    bool,
    typer.Option(
        "--audit", help="Build nothing; compute served features again from raw. Exit 1 when they differ."
    ),
]
AdmitOption = Annotated[
    str | None,
    typer.Option("--admit", help="A view on trial: test it on the current snapshot. Exit 1 when it fails."),
]
RecommenderOption = Annotated[str, typer.Option("--recommender", help="With --admit: for whose rankers.")]
DenyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--deny",
        help="TENANT=FEATURE, also view:NAME or label:NAME: not used for this tenant from the next "
        "snapshot on. May be repeated.",
    ),
]
AllowOption = Annotated[
    list[str] | None, typer.Option("--allow", help="TENANT=FEATURE: use again what was denied.")
]


def command(  # one argument an option
    *,
    range_: RangeOption = None,
    full_refresh: RefreshOption = False,
    list_: ListOption = False,
    search: SearchOption = "",
    audit: AuditOption = False,
    admit: AdmitOption = None,
    recommender: RecommenderOption = "image_enhancement",
    deny: DenyOption = None,
    allow: AllowOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build the features and training sets from raw and publish them as a snapshot."""
    if admit is not None:
        _admit(admit, recommender, as_json=as_json)
        return
    if deny or allow:
        _deny(deny or [], allow or [], as_json=as_json)
        return
    if audit:
        _audit(builds=full_refresh or range_ is not None, lists=list_ or bool(search), as_json=as_json)
        return
    if list_:
        _list(range_, search, full_refresh=full_refresh, as_json=as_json)
        return
    if search:
        raise UsageError("expected --search together with --list, found it alone; add --list.")
    from letterpress.orchestration.build_features import build_features
    from letterpress.orchestration.publish_features import publish_checked_features
    from letterpress.settings import read_settings

    settings = read_settings()
    built = build_features(settings, range_, full_refresh=full_refresh)
    published = publish_checked_features(settings, range_)
    print_result({"build": built, **published}, as_json=as_json, text=_describe(published))


def _admit(view: str, recommender: str, *, as_json: bool) -> None:
    from letterpress.orchestration.admit_view import admit_view
    from letterpress.settings import read_settings

    record = admit_view(read_settings(), view, recommender)
    word = "passed; declare it admitted in features/life.py" if record["passed"] else "failed"
    lines = [
        f"  {'ok' if each['passed'] else 'NO'} {each['name']}: {each['found']} (wanted: {each['wanted']})"
        for each in record["checks"]
    ]
    text = "\n".join([f"{view} for {recommender}, snapshot {record['snapshot']}: {word}", *lines])
    print_result(record, as_json=as_json, text=text)
    if not record["passed"]:
        raise typer.Exit(RefusedError.exit_code)


def _deny(deny: list[str], allow: list[str], *, as_json: bool) -> None:
    from letterpress.orchestration.deny_features import deny_features
    from letterpress.settings import read_settings

    found = deny_features(read_settings(), deny, allow)
    lines = [f"{tenant}: {', '.join(names)}" for tenant, names in found["denied"].items()]
    text = "\n".join(["denied from the next snapshot on:", *(lines or ["nothing"]), *found["remarks"]])
    print_result(found, as_json=as_json, text=text)


def _audit(*, builds: bool, lists: bool, as_json: bool) -> None:
    from letterpress.orchestration.audit_skew import audit_skew
    from letterpress.settings import read_settings

    if builds or lists:
        raise UsageError("expected --audit alone, found it with other options; leave them out.")
    found = audit_skew(read_settings())
    print_result(found, as_json=as_json, text=_describe_audit(found))
    if found["mismatches"]:
        raise typer.Exit(RefusedError.exit_code)


def _describe_audit(found: dict[str, Any]) -> str:
    lines = [
        f"{found['compared']:,} vectors computed again, {found['mismatches']:,} differ, "
        f"{found['seconds']:.1f} s"
    ]
    for record in found["recommenders"]:
        if not record["compared"]:
            what = "unknown, as nothing of the sample could be compared"
            what = what if record["not_comparable"] else "nothing served to compare yet"
            lines.append(f"  {record['recommender']}: {what}")
        lines += [
            f"  {record['recommender']}: {each['name']} differs {each['mismatches']:,} times, {each['worst']}"
            for each in record["features"]
            if each["mismatches"]
        ]
        lines += [
            f"  {record['recommender']}: {vectors:,} not compared: {reason}"
            for reason, vectors in record["not_comparable"].items()
        ]
    return "\n".join(lines)


def _list(range_: str | None, search: str, *, full_refresh: bool, as_json: bool) -> None:
    from letterpress.orchestration.feature_catalogue import list_catalogue
    from letterpress.settings import read_settings

    if range_ is not None or full_refresh:
        raise UsageError("expected --list without --range or --full-refresh, which build; leave one out.")
    found = list_catalogue(read_settings(), search.split())
    print_result(found, as_json=as_json, text=_describe_features(found))


def _describe_features(found: dict[str, Any]) -> str:
    lines = [_describe_feature(each) for each in found["features"]] or ["no feature holds these words"]
    told = {
        "views that no recommender uses": found["unused_views"],
        "features that no served model looks at": [e["name"] for e in found["features"] if e["is_idle"]],
    }
    lines += [f"{what}: {', '.join(names)}" for what, names in told.items() if names]
    return "\n".join(lines)


def _describe_feature(feature: dict[str, Any]) -> str:
    told = [f"{feature['name']} ({feature['view']}, {feature['unit']}): {feature['description']}"]
    for name in feature["recommenders"]:
        measured = feature["measured"].get(name)
        known = f", known in {measured['coverage']:.1%}" if measured else ""
        told.append(f"  {name}{known}")
    for use in feature["uses"]:
        since = f", in use since {use['since']} ({use['since_model']})" if use["since"] else ""
        drift = "" if use["drift"] is None else f", drift {use['drift']:.2f}"
        told.append(f"  {use['share']:.1%} of {use['model']}{since}{drift}")
    return "\n".join(told)


def _describe(published: dict[str, Any]) -> str:
    lines = [f"snapshot {published['snapshot']}, as of {published['as_of']}"]
    lines += [
        f"{name}: " + ", ".join(f"{count} {stem}" for stem, count in rows.items())
        for name, rows in published["rows"].items()
    ]
    return "\n".join(lines)
