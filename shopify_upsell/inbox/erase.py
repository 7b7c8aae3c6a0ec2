"""The job that forgets a shop which left and asked for it."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from shopify_upsell.core import Announcement
from shopify_upsell.jobs.queue import Job
from shopify_upsell.shops.erase import erase_shop


def erase_shop_job(session: Session, job: Job) -> Sequence[Announcement]:
    """Erase every row of the tenant but the proof that we did, unless it was installed again."""
    erase_shop(
        session,
        job.shop_id,
        now=job.now,
        install_epoch=int(job.payload["install_epoch"]),
        keep_job_id=job.job_id,
    )
    return ()
