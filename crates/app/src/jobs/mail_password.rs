//! Sending one temporary password.

use chancery_store::{Change, ClaimedJob};

use crate::{App, AppError};

impl App {
    /// Mails a customer its temporary password, unless that has ended. It may go out twice, unchanged, when the
    /// process dies between the mail server's answer and the commit.
    pub(super) async fn send_password(&self, job: &ClaimedJob, id: i64) -> Result<(), AppError> {
        let mut change = Change::new();
        change.finish_job(job.id, job.attempt);
        change.wipe_password_mail(id);
        let now = self.clock.now();
        if let Some(mail) = self.store.password_mail(id).await?
            && now < mail.expires_at
            && let Some(customer) = self.store.any_customer(mail.customer).await?
            && let Some(letter) = self.password_letter(&mail, &customer).await?
        {
            match self.mailer.send(&letter).await {
                Ok(()) => {}
                Err(later) if later.may_pass_later() => return Err(AppError::internal(later)),
                Err(refused) => {
                    let id = customer.id.0;
                    tracing::warn!(customer.id = id, %refused, "a mailed password was refused");
                }
            }
        }
        self.store.commit(change).await?;
        Ok(())
    }
}
