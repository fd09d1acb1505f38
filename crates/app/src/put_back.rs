//! Putting back what the record beside a restored database knows: every sequence goes on beyond what people have been
//! given; issuing CAs, certificates, revocations and blocked keys that are missing are there again, with all that
//! follows from them; revocation lists go on being numbered upwards.

use std::path::Path;

use chancery_domain::revocations::{Requester, RevocationReason};
use chancery_store::authorities::IssuingCaRow;
use chancery_store::record::{KeptCa, Seen, blocking};
use chancery_store::{Change, JobId, Sequence};

use crate::blocked_keys::Keys;
use crate::jobs::{NOBODYS, Task, octets, refresh_crl_soon};
use crate::restores::RestoreReport;
use crate::revocations::Revoker;
use crate::standings::keep_record;
use crate::{AppError, Operations};

/// Changes in one change set.
const BATCH: usize = 200;

impl Operations {
    /// Puts back what a report tells of and lets the server serve from then on. Cut off in the middle, it is done
    /// again from the beginning: the database counts as restored until the last step.
    pub async fn put_back(
        &self,
        records: &Path,
        report: &RestoreReport,
        operator: &str,
    ) -> Result<(), AppError> {
        self.refuse_other_seal(&report.cas).await?;
        let mut change = Change::new();
        for (name, number) in &report.numbers {
            change.raise_sequence(name, number.next);
        }
        self.store.commit(change).await?;
        self.put_back_cas(report).await?;
        for lost in report.lost.chunks(BATCH) {
            let mut change = Change::new();
            for lost in lost {
                change.insert_lost_certificate(lost);
            }
            self.store.commit(change).await?;
        }
        self.put_back_revocations(report).await?;
        let now = self.clock.now();
        let mut change = Change::new();
        for (id, _) in &report.signed_before {
            change.outdate_reservation(*id);
        }
        for list in &report.lists {
            change.insert_crl(list);
        }
        refresh_crl_soon(&mut change, now);
        self.store.commit(change).await?;
        let mut change = Change::new();
        change.raise_pulse(report.pulse + 1);
        change.forget_behind();
        let lost = report.lost.len();
        let note = serde_json::json!({ "operator": operator, "lost": lost, "signs": report.signs });
        change.set_meta(&format!("restored_at {now}"), &note.to_string());
        self.store.commit(change).await?;
        keep_record(&self.store, records, now).await?;
        let Some(record) = self.store.record() else {
            return Ok(());
        };
        let pulse = self.store.pulse_count().await?;
        blocking(move || {
            record.keep_seen(Seen { pulse })?;
            record.forget_behind()
        })
        .await?;
        Ok(())
    }

    /// Refuses issuing CAs whose keys the database's master key does not open.
    async fn refuse_other_seal(&self, cas: &[KeptCa]) -> Result<(), AppError> {
        let key = self.store.master_key_record().await?;
        let is_other =
            |ca: &&KeptCa| key.rotation.is_some() || key.id.as_ref() != Some(&ca.master_key);
        let Some(ca) = cas.iter().find(is_other) else {
            return Ok(());
        };
        let text = format!(
            "issuing CA {} is sealed under the master key {}, and the database under {}, which was there before: run \
             `chancery key rotate` from the one to the other, then this again",
            ca.issuer,
            ca.master_key,
            key.id.unwrap_or_default()
        );
        Err(AppError::Internal(text.into()))
    }

    /// The issuing CAs, and which of them were revoked. Theirs are the places after those there are.
    async fn put_back_cas(&self, report: &RestoreReport) -> Result<(), AppError> {
        let now = self.clock.now();
        let mut number = self.issuing_cas().await?.last().map_or(0, |ca| ca.number);
        let mut change = Change::new();
        for ca in &report.cas {
            number += 1;
            change.insert_issuing_ca(&IssuingCaRow {
                number,
                issuer: ca.issuer.clone(),
                certificate: octets(&ca.certificate),
                key: octets(&ca.key),
                created_at: ca.created_at,
            });
        }
        self.store.commit(change).await?;
        let all = self.issuing_cas().await?;
        for revoked in &report.revoked_cas {
            let Some(ca) = all.iter().find(|ca| ca.issuer == revoked.issuer) else {
                continue;
            };
            let mut change = Change::new();
            change.insert_revoked_ca(revoked);
            self.replace_certificates_of(&mut change, ca.number, now)
                .await?;
            self.store.commit(change).await?;
        }
        Ok(())
    }

    /// Blocked keys and revoked certificates, dated as they were, with what follows for their orders.
    async fn put_back_revocations(&self, report: &RestoreReport) -> Result<(), AppError> {
        let keys = Keys {
            store: &self.store,
            clock: &self.clock,
        };
        for block in &report.blocked {
            keys.block(&block.spki_sha256, &block.by, block.note.clone(), block.at)
                .await?;
        }
        for (id, entry) in &report.revoked {
            let reason = entry.reason.and_then(RevocationReason::from_code);
            let revoker = Revoker {
                store: &self.store,
                clock: &self.clock,
                by: Requester::Platform,
                reason: reason.unwrap_or(RevocationReason::Unspecified),
                asked_at: entry.at,
                dated: Some(entry.at),
            };
            revoker.revoke(*id).await?;
        }
        Ok(())
    }

    /// Adds to a change set what follows when an issuing CA is revoked: the root's list, a successor, and
    /// certificates in the place of those it signed.
    pub(crate) async fn replace_certificates_of(
        &self,
        change: &mut Change,
        number: i64,
        now: chancery_domain::Timestamp,
    ) -> Result<(), AppError> {
        refresh_crl_soon(change, now);
        let follow = Task::FollowIssuingCa;
        change.bring_forward(follow.kind(), follow.subject(), now);
        let id = JobId(self.store.next_id(Sequence::Row).await?);
        let replace = Task::ReplaceCertificates(number);
        change.enqueue(replace.as_new_job(id, NOBODYS, now, None), now);
        Ok(())
    }
}
