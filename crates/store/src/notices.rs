//! Notices: decided once, whatever is told again.

use chancery_domain::Timestamp;
use chancery_domain::certificates::CertificateId;
use chancery_domain::notices::{News, Notice, NoticeId};
use chancery_domain::orders::OrderId;

use crate::changes::{Change, Failure};
use crate::errors::StoreError;
use crate::store::Store;
use crate::values;
use crate::values::Row;

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "select id, order_id, certificate_id, kind, subject, days, created_at, sent_at
            from notices where ",
            $condition
        )
    };
}

impl Change {
    /// Keeps what is to be told; a conflict if it was decided before.
    pub fn insert_notice(&mut self, notice: &Notice) {
        const SQL: &str = "
            insert into notices (id, order_id, certificate_id, kind, subject, days, created_at)
            values ($1, $2, $3, $4, $5, $6, $7)";
        let (subject, days) = notice.news.about();
        self.expect_one(
            SQL,
            values![
                notice.id.0,
                notice.order.0,
                notice.certificate.map(|id| id.0),
                notice.news.kind(),
                subject,
                days,
                notice.created_at,
            ],
            conflict(notice.id),
        );
    }

    /// Notes that a notice was handed to the mail server for the people behind its order, or was not for them; only once.
    pub fn mark_told(&mut self, id: NoticeId, at: Timestamp) {
        const SQL: &str = "update notices set sent_at = $1 where id = $2 and sent_at is null";
        self.expect_one(SQL, values![at, id.0], conflict(id));
    }
}

impl Store {
    /// A notice.
    pub async fn notice(&self, id: NoticeId) -> Result<Option<Notice>, StoreError> {
        const SQL: &str = select!("id = $1");
        let row = self.query_one(SQL, values![id.0]).await?;
        row.as_ref().map(read).transpose()
    }

    /// What was told of an order, the oldest first.
    pub async fn notices(&self, order: OrderId) -> Result<Vec<Notice>, StoreError> {
        const SQL: &str = select!("order_id = $1 order by created_at, id");
        let rows = self.query(SQL, values![order.0]).await?;
        rows.iter().map(read).collect()
    }
}

fn conflict(id: NoticeId) -> Failure {
    Failure::Conflict {
        what: "notice",
        id: id.0,
    }
}

fn read(row: &Row) -> Result<Notice, StoreError> {
    let (subject, days) = (row.int(4)?, row.small(5)?);
    Ok(Notice {
        id: NoticeId(row.int(0)?),
        order: OrderId(row.int(1)?),
        certificate: row.opt_int(2)?.map(CertificateId),
        news: row.parsed(3, |kind| News::parse(kind, subject, days))?,
        created_at: row.timestamp(6)?,
        sent_at: row.opt_timestamp(7)?,
    })
}
