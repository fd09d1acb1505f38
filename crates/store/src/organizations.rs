//! Organizations, the editions of their legal facts, and their history.

use chancery_domain::contacts::ContactId;
use chancery_domain::events::Actor;
use chancery_domain::operators::OperatorName;
use chancery_domain::organizations::{
    LegalFacts, Organization, OrganizationEvent, OrganizationEventKind, OrganizationId, folded,
};
use chancery_domain::resellers::ResellerId;
use chancery_domain::vetting::CaseId;

use crate::changes::{Change, Failure};
use crate::errors::StoreError;
use crate::reading::to_json;
use crate::store::Store;
use crate::values;
use crate::values::Row;

/// SHA-256 of [`LegalFacts::identity`]: unique among a reseller's organizations.
pub type IdentityKey = [u8; 32];

/// Which of a reseller's organizations are wanted; a part that is `None` does not matter.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct OrganizationFilter {
    /// This one.
    pub id: Option<OrganizationId>,
    /// How it is called, in whatever case.
    pub company: Option<TextFilter>,
    /// Its country, in whatever case.
    pub country: Option<String>,
}

/// How a text is compared.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TextFilter {
    /// It is this one.
    Equal(String),
    /// It has this somewhere.
    Contains(String),
}

impl Change {
    /// Inserts an organization; refused as `organization` where the reseller has it already.
    pub fn insert_organization(&mut self, organization: &Organization, identity: IdentityKey) {
        const SQL: &str = "
            insert into organizations (id, reseller_id, identity, name_folded, country, details,
                technical_id, edition, created_at, modified_at, version)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            on conflict (reseller_id, identity) do nothing";
        self.expect_one(
            SQL,
            values![
                organization.id.0,
                organization.reseller.0,
                identity,
                folded(&organization.details.company),
                organization.details.country.to_uppercase(),
                to_json(&organization.details),
                organization.technical.map(|contact| contact.0),
                organization.edition,
                organization.created_at,
                organization.modified_at,
                organization.version,
            ],
            Failure::Refused("organization"),
        );
        self.insert_edition(organization);
    }

    /// Saves an organization that changed, unless someone changed it first.
    pub fn save_organization(&mut self, organization: &Organization, identity: IdentityKey) {
        const SQL: &str = "
            update organizations
            set identity = $1, name_folded = $2, country = $3, details = $4, technical_id = $5,
                edition = $6, modified_at = $7, version = version + 1
            where id = $8 and version = $9";
        self.expect_one(
            SQL,
            values![
                identity,
                folded(&organization.details.company),
                organization.details.country.to_uppercase(),
                to_json(&organization.details),
                organization.technical.map(|contact| contact.0),
                organization.edition,
                organization.modified_at,
                organization.id.0,
                organization.version,
            ],
            Failure::Conflict {
                what: "organization",
                id: organization.id.0,
            },
        );
        self.insert_edition(organization);
    }

    /// Makes sure that nobody changes an organization at once, by counting as a change of it.
    pub fn hold_organization(&mut self, organization: &Organization) {
        const SQL: &str = "
            update organizations set version = version + 1 where id = $1 and version = $2";
        let failure = Failure::Conflict {
            what: "organization",
            id: organization.id.0,
        };
        let values = values![organization.id.0, organization.version];
        self.expect_one(SQL, values, failure);
    }

    /// Keeps the facts of an edition, if it is a new one.
    fn insert_edition(&mut self, organization: &Organization) {
        const SQL: &str = "
            insert into organization_editions (organization_id, edition, facts, created_at)
            values ($1, $2, $3, $4)
            on conflict (organization_id, edition) do nothing";
        self.execute(
            SQL,
            values![
                organization.id.0,
                organization.edition,
                to_json(&organization.facts()),
                organization.modified_at,
            ],
        );
    }

    /// Appends a line to an organization's history.
    pub fn insert_organization_event(&mut self, event: &OrganizationEvent) {
        const SQL: &str = "
            insert into organization_events (id, organization_id, case_id, at, actor, operator, kind,
                detail)
            values ($1, $2, $3, $4, $5, $6, $7, $8)";
        self.execute(
            SQL,
            values![
                event.id,
                event.organization.0,
                event.case.map(|case| case.0),
                event.at,
                event.actor.as_str(),
                event.operator.as_ref().map(OperatorName::as_str),
                event.kind.as_str(),
                event.detail.as_deref(),
            ],
        );
    }
}

impl Store {
    /// Any organization, for the platform's own work.
    pub async fn any_organization(
        &self,
        id: OrganizationId,
    ) -> Result<Option<Organization>, StoreError> {
        const SQL: &str = "
            select id, reseller_id, details, technical_id, edition, created_at, modified_at, version
            from organizations where id = $1";
        let row = self.query_one(SQL, values![id.0]).await?;
        row.as_ref().map(read).transpose()
    }

    /// A reseller's organization.
    pub async fn organization(
        &self,
        reseller: ResellerId,
        id: OrganizationId,
    ) -> Result<Option<Organization>, StoreError> {
        // The sum keeps PostgreSQL from an index on resellers, as in `find_order`.
        const SQL: &str = "
            select id, reseller_id, details, technical_id, edition, created_at, modified_at, version
            from organizations where id = $1 and reseller_id + 0 = $2";
        let row = self.query_one(SQL, values![id.0, reseller.0]).await?;
        row.as_ref().map(read).transpose()
    }

    /// The reseller's organization of an identity.
    pub async fn organization_of_identity(
        &self,
        reseller: ResellerId,
        identity: IdentityKey,
    ) -> Result<Option<Organization>, StoreError> {
        const SQL: &str = "
            select id, reseller_id, details, technical_id, edition, created_at, modified_at, version
            from organizations where reseller_id = $1 and identity = $2";
        let row = self.query_one(SQL, values![reseller.0, identity]).await?;
        row.as_ref().map(read).transpose()
    }

    /// So many of a reseller's organizations, the newest first, after leaving out the first `skip`.
    pub async fn search_organizations(
        &self,
        reseller: ResellerId,
        filter: &OrganizationFilter,
        limit: i64,
        skip: i64,
    ) -> Result<Vec<Organization>, StoreError> {
        const SQL: &str = "
            select id, reseller_id, details, technical_id, edition, created_at, modified_at, version
            from organizations
            where reseller_id = $1 and (cast($2 as bigint) = 0 or id = $2)
                and (cast($3 as text) = '' or country = $3) and name_folded like $4 escape '!'
            order by id desc limit $5 offset $6";
        let mut values = filter.values(reseller);
        values.extend(values![limit, skip]);
        self.scan(SQL, values).await?.iter().map(read).collect()
    }

    /// How many organizations of a reseller's a filter lets through.
    pub async fn count_organizations(
        &self,
        reseller: ResellerId,
        filter: &OrganizationFilter,
    ) -> Result<i64, StoreError> {
        const SQL: &str = "
            select cast(count(*) as bigint) from organizations
            where reseller_id = $1 and (cast($2 as bigint) = 0 or id = $2)
                and (cast($3 as text) = '' or country = $3) and name_folded like $4 escape '!'";
        let rows = self.scan(SQL, filter.values(reseller)).await?;
        rows.first().map_or(Ok(0), |row| row.int(0))
    }

    /// Whether a contact is the technical one of an organization.
    pub async fn is_contact_of_organization(
        &self,
        reseller: ResellerId,
        contact: ContactId,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "
            select 1 from organizations where reseller_id = $1 and technical_id = $2 limit 1";
        let rows = self.scan(SQL, values![reseller.0, contact.0]).await?;
        Ok(!rows.is_empty())
    }

    /// The legal facts of an organization, edition by edition.
    pub async fn organization_editions(
        &self,
        id: OrganizationId,
    ) -> Result<Vec<LegalFacts>, StoreError> {
        const SQL: &str = "
            select facts from organization_editions where organization_id = $1 order by edition";
        let rows = self.query(SQL, values![id.0]).await?;
        rows.iter().map(|row| row.json(0)).collect()
    }

    /// An organization's history, the oldest line first.
    pub async fn organization_events(
        &self,
        id: OrganizationId,
    ) -> Result<Vec<OrganizationEvent>, StoreError> {
        const SQL: &str = "
            select id, organization_id, case_id, at, actor, operator, kind, detail
            from organization_events where organization_id = $1 order by id";
        let rows = self.scan(SQL, values![id.0]).await?;
        rows.iter().map(read_event).collect()
    }
}

impl OrganizationFilter {
    fn values(&self, reseller: ResellerId) -> Vec<values::Value> {
        let name = match &self.company {
            None => "%".to_owned(),
            Some(TextFilter::Equal(text)) => literal(&folded(text)),
            Some(TextFilter::Contains(text)) => format!("%{}%", literal(&folded(text))),
        };
        let country = self.country.as_deref().unwrap_or_default().to_uppercase();
        values![reseller.0, self.id.map_or(0, |id| id.0), country, name]
    }
}

/// A text as a pattern that finds it and nothing else.
pub(crate) fn literal(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern
}

fn read(row: &Row) -> Result<Organization, StoreError> {
    Ok(Organization {
        id: OrganizationId(row.int(0)?),
        reseller: ResellerId(row.int(1)?),
        details: row.json(2)?,
        technical: row.opt_int(3)?.map(ContactId),
        edition: row.int(4)?,
        created_at: row.timestamp(5)?,
        modified_at: row.timestamp(6)?,
        version: row.int(7)?,
    })
}

fn read_event(row: &Row) -> Result<OrganizationEvent, StoreError> {
    Ok(OrganizationEvent {
        id: row.int(0)?,
        organization: OrganizationId(row.int(1)?),
        case: row.opt_int(2)?.map(CaseId),
        at: row.timestamp(3)?,
        actor: row.parsed(4, Actor::parse)?,
        operator: match row.opt_text(5)? {
            None => None,
            Some(_) => Some(row.parsed(5, OperatorName::restore)?),
        },
        kind: row.parsed(6, OrganizationEventKind::parse)?,
        detail: row.opt_string(7)?,
    })
}
