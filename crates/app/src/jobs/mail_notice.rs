//! Sending one notice.

use chancery_domain::contacts::{Contact, ContactId};
use chancery_domain::events::{Actor, EventKind};
use chancery_domain::issuances::NextStep;
use chancery_domain::notices::{News, Notice, NoticeId};
use chancery_domain::orders::Order;
use chancery_domain::resellers::{NoticeRecipients, ResellerSettings};
use chancery_store::orders::OrderFile;
use chancery_store::{Change, ClaimedJob};

use crate::{App, AppError};

impl App {
    /// Mails a notice to those whom the reseller wants it to go to, unless it is out of date by now. It may go out twice,
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
            // Whoever has the certificate is to hear of it, also where the order has another by now.
            News::CaRevoked(_) => true,
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
        let reseller = self.store.reseller(order.reseller).await?;
        let reseller = reseller.ok_or_else(|| AppError::Internal("its reseller is gone".into()))?;
        let Readers { to, told } = self.readers(notice, order, &reseller.settings).await?;
        let now = self.clock.now();
        let certificate = match notice.certificate {
            Some(id) => self.store.certificate(id).await?,
            None => None,
        };
        let mut mail = self.notice_mail(notice, file, certificate.as_ref(), to);
        let ResellerSettings {
            notice_sender,
            notice_footer,
            ..
        } = &reseller.settings;
        if let Some(footer) = notice_footer {
            mail.text.push_str(&format!("\n-- \n{footer}\n"));
        }
        let sent = match mail.to.is_empty() {
            true => Ok(()),
            false => self.mailer.send_as(notice_sender.as_deref(), &mail).await,
        };
        let outcome = match sent {
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

/// Who reads a notice.
struct Readers {
    /// Their addresses, each once; nobody's where the reseller wants none to be sent.
    to: Vec<String>,
    /// Who they are, for the history.
    told: String,
}

impl App {
    /// Who reads a notice about an order, by what is set for its reseller. What a duty demands is told to somebody
    /// even where the reseller wants no notices.
    async fn readers(
        &self,
        notice: &Notice,
        order: &Order,
        settings: &ResellerSettings,
    ) -> Result<Readers, AppError> {
        let own = settings.notice_email.clone();
        let who = match (settings.notices_to, own.is_some()) {
            // The reseller has to hear of it, and where it has no address of its own, somebody.
            (NoticeRecipients::None, true) if notice.news.is_duty() => NoticeRecipients::Reseller,
            (NoticeRecipients::None, false) if notice.news.is_duty() => {
                NoticeRecipients::Administrator
            }
            (NoticeRecipients::Administrator, true) if notice.news.is_duty() => {
                NoticeRecipients::Both
            }
            (who, _) => who,
        };
        let (mut to, mut told_whom) = (Vec::new(), Vec::new());
        if who.include_administrator() {
            let ids = [order.administrator, order.technical, order.technical];
            let contacts = self.store.contacts(order.reseller, ids).await?;
            told_whom.push(told(order, &contacts));
            to.extend(contacts.into_iter().map(|contact| contact.details.email));
        }
        if who.include_reseller() {
            told_whom.push("the reseller".to_owned());
            to.extend(own);
        }
        to.sort_unstable();
        to.dedup();
        told_whom.retain(|whom| !whom.is_empty());
        if to.is_empty() {
            told_whom = vec!["nobody, by the reseller's settings".to_owned()];
        }
        Ok(Readers {
            to,
            told: told_whom.join("; "),
        })
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
