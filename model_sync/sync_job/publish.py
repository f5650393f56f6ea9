"""Publish uploaded contents, a prefix in S3, or an uploaded package set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_store.package_set import Target
from model_sync.errors import RequestError, SourceError
from model_sync.package_sets.interpreters import interpreter_for
from model_sync.package_sets.publish import describe_set, find_published, publish_set
from model_sync.package_sets.runtime_packages import installed_runtime, refuse_shadowed
from model_sync.publishing.publication import Publication
from model_sync.publishing.publish import publish_source
from model_sync.publishing.resume import resume_copy
from model_sync.refs.commit import settle
from model_sync.sources.recipe import read_recipe
from model_sync.store_io.staging import Staging
from model_sync.text import pluralize

if TYPE_CHECKING:
    from model_store.layout import StoreLayout
    from model_store.package_set import PackageSetManifest
    from model_sync.progress import Progress
    from model_sync.publishing.publication import PublishResult
    from model_sync.sources.s3 import S3Source
    from model_sync.sources.uploaded import UploadedContents, UploadedSet
    from model_sync.sync_job.requests import PublishRequest
    from model_sync.time_limit import TimeLimit


def publish_uploaded(
    layout: StoreLayout,
    uploaded: UploadedContents,
    request: PublishRequest,
    progress: Progress,
    time_limit: TimeLimit,
) -> PublishResult:
    """Publish uploaded contents. Contents that are published already are not copied.

    Raises ToBeContinued if the invocation's time is too short to finish, SyncError, StoreError.
    """
    if request.model is None:
        raise RequestError("'model' is missing: uploaded contents have no name of their own")
    with Staging(layout, resume=request.resume) as staging:
        copied = resume_copy(staging, uploaded) if request.resume else set()
        settle(layout.model(request.model), staging)
        publication = Publication(
            layout, request.model, staging, progress, who=request.who, time_limit=time_limit
        )
        unchanged = publication.result_if_unchanged(uploaded.content.digest, request.label)
        if unchanged:
            return unchanged
        publication.stage_uploaded(uploaded, copied)
        return publication.commit(
            request.label,
            request.reason,
            allow_signature_change=request.allow_signature_change,
        )


def publish_prefix(
    layout: StoreLayout,
    source: S3Source,
    request: PublishRequest,
    progress: Progress,
    time_limit: TimeLimit,
) -> PublishResult:
    """Publish the model below a prefix, in one invocation; raises SyncError, StoreError."""
    implied_name = source.name.rpartition("/")[2]
    recipe = read_recipe(source, name=request.model, implied_name=implied_name)
    return publish_source(
        source,
        recipe,
        layout,
        progress=progress,
        label=request.label,
        reason=request.reason,
        who=request.who,
        allow_signature_change=request.allow_signature_change,
        time_limit=time_limit,
    )


def publish_uploaded_set(
    layout: StoreLayout, uploaded: UploadedSet, progress: Progress
) -> tuple[PackageSetManifest, bool]:
    """Publish an uploaded package set; return it and True if it is new.

    Raises SyncError, StoreError.
    """
    published = find_published(layout, uploaded.digest)
    if published:
        return published, False
    manifest = describe_set(uploaded.digests, uploaded.target, pruned=uploaded.pruned)
    if manifest.digest != uploaded.digest:
        raise SourceError(f"{uploaded.name} is damaged: its contents do not match its name")
    if manifest.target == Target.running():  # the caller checks the sets of other targets
        refuse_shadowed(manifest, installed_runtime(), uploaded.name)
    compiler = interpreter_for(manifest.target)
    with Staging(layout) as staging:
        progress.step(
            f"copying {pluralize(len(uploaded.digests), 'wheel')} from S3", uploaded.size_bytes
        )
        wheels = uploaded.copy_wheels(staging.path("wheels"), progress.advance)
        return publish_set(manifest, wheels, layout, progress, compiler)
