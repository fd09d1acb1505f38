//! Names that come along for nothing: added to a certificate where a proof of its run covers them, and left out where
//! none does. They are never asked for, and hold nothing up.

use chancery_domain::Timestamp;
use chancery_domain::certificates::{Certificate, CertificateId};
use chancery_domain::events::{Actor, EventKind};
use chancery_domain::issuances::{Issuance, Proof};
use chancery_domain::names::DomainName;
use chancery_domain::notices::News;
use chancery_domain::orders::Order;
use chancery_store::Change;
use chancery_store::orders::OrderFile;

use crate::{App, AppError};

impl App {
    /// The name that is free with an order, be it asked for or not: by its product, or the one it has had so far.
    pub(crate) fn free_name(&self, order: &Order) -> Option<DomainName> {
        let sold = self.catalogue().product(&order.product_key);
        sold.and_then(|product| product.companion_of(order.common_name()))
            .or_else(|| order.companion.clone())
    }

    /// The name that comes along with those of a run, and the proof it rests on: control of it was shown by the same
    /// evidence (BR 3.2.2.4).
    pub(crate) fn companion<'a>(
        &self,
        OrderFile {
            order, issuance, ..
        }: &'a OrderFile,
        now: Timestamp,
    ) -> Option<(DomainName, &'a Proof)> {
        let name = self.free_name(order)?;
        if issuance.names.iter().any(|control| control.name == name) {
            return None;
        }
        let proof = issuance.proof_covering(&name, &self.rules, now)?;
        Some((name, proof))
    }
}

impl App {
    /// Adds what tells that a certificate lacks the name that came along before: no proof covers it any more.
    pub(crate) async fn tell_lost_companion(
        &self,
        change: &mut Change,
        file: &OrderFile,
        name: &DomainName,
        certificate: CertificateId,
    ) -> Result<(), AppError> {
        let (kind, detail) = (EventKind::CompanionLost, Some(name.to_string()));
        self.note(change, &file.order, Actor::Platform, kind, detail)
            .await?;
        let news = News::CompanionLost(certificate);
        self.tell_once(change, &[], file, news, self.clock.now())
            .await
    }
}

/// What a certificate has beside the names that were asked for.
pub(crate) fn came_along(certificate: &Certificate, issuance: &Issuance) -> Option<DomainName> {
    let was_asked_for = |name: &DomainName| issuance.names.iter().any(|held| held.name == *name);
    let mut names = certificate.names.iter();
    names.find(|name| !was_asked_for(name)).cloned()
}
