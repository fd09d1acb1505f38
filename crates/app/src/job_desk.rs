//! Jobs as operators see them.

use chancery_domain::operators::ActKind;
use chancery_domain::orders::OrderId;
use chancery_store::{Change, JobFilter, JobId, JobSubjects, ListedJob, StoreError};

use crate::{App, AppError, Noun, Operations};

/// What the subjects of jobs are, by the kinds of the jobs.
const SUBJECTS: JobSubjects<'static> = JobSubjects {
    orders: &["tend"],
    issuances: &["poll_dcv", "mail_approvers", "sign", "supersede"],
    notices: &["mail_notice"],
};

impl App {
    /// The order a job is about, for the log.
    pub(crate) async fn order_of_job(&self, id: JobId) -> Option<i64> {
        let job = self.store.job(id, &SUBJECTS).await.ok().flatten()?;
        job.order.map(|order| order.0)
    }
}

impl Operations {
    /// Jobs that wait, fail or gave up; of one order only, where one is given.
    pub async fn jobs(
        &self,
        filter: JobFilter,
        order: Option<OrderId>,
        most: u32,
    ) -> Result<Vec<ListedJob>, AppError> {
        let found = self.store.list_jobs(filter, order, &SUBJECTS, most.into());
        Ok(found.await?)
    }

    /// A job.
    pub async fn job(&self, id: i64) -> Result<ListedJob, AppError> {
        let found = self.store.job(JobId(id), &SUBJECTS).await?;
        found.ok_or_else(|| no_job(id))
    }

    /// Makes a job due at once, whether it waits, fails or gave up.
    pub async fn run_job_now(&self, id: i64) -> Result<ListedJob, AppError> {
        let job = self.job(id).await?;
        let mut change = Change::new();
        change.run_job_now(job.id, self.clock.now());
        let (subject, detail) = (format!("job {id}"), format!("{} {}", job.kind, job.subject));
        self.record_act(&mut change, ActKind::JobRun, subject, None, Some(detail))
            .await?;
        match self.store.commit(change).await {
            Err(StoreError::Conflict { .. }) => Err(no_job(id)),
            other => {
                other?;
                Ok(job)
            }
        }
    }
}

fn no_job(id: i64) -> AppError {
    AppError::NotFound {
        what: Noun::Job,
        id: id.to_string(),
    }
}
