"""Whether an app can take a revision beside the one that serves."""

from __future__ import annotations

from layerdoit.core.errors import ConfigError, DeployError
from layerdoit.deploy.azure import traffic
from layerdoit.deploy.azure.app_state import MARK, App, mark_of
from layerdoit.deploy.azure.az_errors import Place
from layerdoit.deploy.settings import DeploySettings


def known(app: App, settings: DeploySettings) -> None:
    """Refuse an app in which nobody can tell which container is ours."""
    if app.container is not None or not app.containers:
        return
    names = ", ".join(app.containers)
    given = settings.config.azure.container
    if given is None:
        what, hint = f"{app.name} has several containers: {names}", "set deploy.azure.container to the one of ours"
    else:
        what, hint = f'{app.name} has no container "{given}"', f"deploy.azure.container: one of {names}"
    raise ConfigError(what, where=_where(settings, "container"), hint=hint)


def check_health(settings: DeploySettings) -> None:
    """Refuse what cannot be asked there."""
    if settings.config.health.command is not None:
        what = "deploy.health.command cannot be run in Azure: `az containerapp exec` gives no exit code"
        hint = "use deploy.health.path, which is asked at the revision's own address, or platform: true"
        raise ConfigError(what, where=settings.where.get("deploy.health.command"), hint=hint)


def check(app: App, settings: DeploySettings, place: Place) -> None:
    """Refuse an app in which what serves could not go on serving until the new revision is healthy."""
    known(app, settings)
    if not app.containers:
        raise DeployError(
            f"{app.name} has no container", hint=f"az containerapp update {place.options} --image <image>"
        )
    if not app.multiple:
        what = f"{app.name} is in single revision mode: Azure would end what serves too early"
        hint = f"az containerapp revision set-mode {place.options} --mode multiple (what serves goes on serving)"
        raise DeployError(what, where=_where(settings, "app"), hint=hint)
    _refuse_others(app, settings, place)
    traffic.refuse_split(app, f"az containerapp ingress traffic set {place.options}")
    health = settings.config.health
    if not app.ingress and (health.path is not None or health.status or health.text is not None):
        what = f"{app.name} has no ingress, so that nobody can ask deploy.health.path"
        hint = (
            f"az containerapp ingress enable {place.options} --type external --target-port <port>, or deploy.health.log"
        )
        raise ConfigError(what, where=settings.where.get("deploy.health.path"), hint=hint)
    port = settings.config.port
    if port is not None and app.target_port is not None and port != app.target_port:
        what = f"deploy.port is {port}, but the ingress of {app.name} sends to port {app.target_port}"
        hint = f"az containerapp ingress update {place.options} --target-port {port}, or correct deploy.port"
        raise ConfigError(what, where=settings.where.get("deploy.port"), hint=hint)


def _refuse_others(app: App, settings: DeploySettings, place: Place) -> None:
    """Two environments, or two projects, in one app would replace each other's releases."""
    mark = mark_of(app.container or {})
    if mark is None:
        return
    other, ours = (mark.project, mark.environment), (settings.project, settings.environment)
    if all(one in ("", mine) for one, mine in zip(other, ours, strict=True)):
        return
    what = f"{app.name} runs {other[0]} of the environment {other[1]}, and this is {ours[0]} of {ours[1]}"
    hint = (
        f"name another app in deploy.azure.app; to take this one over: az containerapp update {place.options} "
        f"--remove-env-vars {MARK}"
    )
    raise DeployError(what, where=_where(settings, "app"), hint=hint)


def _where(settings: DeploySettings, name: str) -> str | None:
    where = settings.where
    return where.get(f"deploy.azure.{name}") or where.get("deploy.azure.app") or where.get("deploy.provider")
