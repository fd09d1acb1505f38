//! Sending one notice.

use chancery_domain::contacts::{Contact, ContactId};
use chancery_domain::events::{Actor, EventKind};
use chancery_domain::issuances::NextStep;
use chancery_domain::notices::{News, Notice, NoticeId};
use chancery_domain::orders::Order;
use chancery_store::orders::OrderFile;
use chancery_store::{Change, ClaimedJob};

use crate::{App, AppError};

impl App {
    /// Mails a notice to the people behind its order, unless it is out of date by now. It may go out twice,
    /// unchanged, when the process dies between the mail server's answer and the commit.
    pub(super) async fn mail_notice(&self, job: &ClaimedJob, id: NoticeId) -> Result<(), AppError> {
        let mut change = Change::new();
        change.finish_job(job.id, job.attempt);
        let notice = self.store.notice(id).await?;
        if let Some(notice) = notice.filter(|notice| notice.sent_at.is_none())
            && let Some(file) = self.store.order_file(notice.order).await?
            && self.still_matters(&notice, &file).await?
        {
            self.send_notice(&mut change, &notice, &file).await?;
        }
        self.store.commit(change).await?;
        Ok(())
    }

    async fn still_matters(&self, notice: &Notice, file: &OrderFile) -> Result<bool, AppError> {
        let now = self.clock.now();
        if matches!(notice.news, News::CertificateRevoked(_)) {
            return Ok(true);
        }
        if !file.order.is_running(now) {
            return Ok(false);
        }
        let in_force = file.order.certificate;
        Ok(match notice.news {
            News::CsrWanted(certificate) | News::CertificateEnding(certificate, _) => {
                in_force == Some(certificate)
            }
            News::ControlWanted(issuance) => {
                file.issuance.id == issuance && file.issuance.next_step(now) == NextStep::Wait
            }
            News::CertificateRevoked(_) => true,
            News::OrderEnding(_) => !self.is_succeeded(&file.order, now).await?,
        })
    }

    async fn send_notice(
        &self,
        change: &mut Change,
        notice: &Notice,
        file: &OrderFile,
    ) -> Result<(), AppError> {
        let order = &file.order;
        let ids = [order.administrator, order.technical, order.technical];
        let contacts = self.store.contacts(order.reseller, ids).await?;
        let told = told(order, &contacts);
        let mut to: Vec<String> = contacts
            .into_iter()
            .map(|contact| contact.details.email)
            .collect();
        if matches!(notice.news, News::CertificateRevoked(_)) {
            let reseller = self.store.reseller(order.reseller).await?;
            to.extend(reseller.and_then(|reseller| reseller.settings.notice_email));
        }
        to.sort_unstable();
        to.dedup();
        let now = self.clock.now();
        let certificate = match notice.certificate {
            Some(id) => self.store.certificate(id).await?,
            None => None,
        };
        let mail = self.notice_mail(notice, file, certificate.as_ref(), to);
        let outcome = match self.mailer.send(&mail).await {
            Ok(()) => told,
            Err(later) if later.may_pass_later() => return Err(AppError::internal(later)),
            Err(refused) => {
                tracing::warn!(order.id = order.id.0, %refused, "a notice was refused");
                format!("{told}: {refused}")
            }
        };
        change.mark_told(notice.id, now);
        let detail = Some(format!("{}: {outcome}", notice.news.kind()));
        self.note(
            change,
            order,
            Actor::Platform,
            EventKind::PersonTold,
            detail,
        )
        .await
    }
}

/// Whom of an order's people there are, for its history: by their numbers, for an address would outlive them.
fn told(order: &Order, contacts: &[Contact]) -> String {
    let named = [
        ("administrator", order.administrator),
        ("technical contact", order.technical),
    ];
    let is_there = |id: ContactId| contacts.iter().any(|contact| contact.id == id);
    let told = named.into_iter().filter(|(_, id)| is_there(*id));
    let told: Vec<String> = told
        .map(|(role, id)| format!("the {role}, contact {id}"))
        .collect();
    told.join("; ")
}
