//! What grows by itself: the trail of sign-ins, looks at the world, and how all of it is removed in steps. And what
//! is sealed, wherever it is.

use chancery_domain::access_trail::{AccessKey, AccessLine, AccessOutcome};
use chancery_domain::authorizations::Method;
use chancery_domain::issuances::IssuanceId;
use chancery_domain::observations::{Observation, Outcome};
use chancery_domain::resellers::ResellerId;
use chancery_store::access_trail::{AccessFilter, CredentialUse};
use chancery_store::retention::Stale;
use chancery_store::sealed::{MasterKeyRecord, SealedPlace};
use chancery_store::{Change, Engine, StoreError};

use crate::bed::{Bed, on_both_engines};
use crate::things::{OURS, at, commit, name, store_an_order};

on_both_engines!(
    lines_of_the_trail_add_up_and_are_found,
    the_last_use_of_a_credential_counts,
    what_is_old_is_removed_in_steps,
    looks_of_runs_that_go_on_and_what_proved_a_name_stay,
    a_master_key_is_named_once_and_expected,
    a_secret_is_sealed_anew_unless_it_moved,
    every_sealed_column_is_known,
);

fn line(minute: i64, username: &str, outcome: AccessOutcome, times: i64) -> AccessLine {
    AccessLine {
        key: AccessKey {
            period: at(minute * 60),
            outcome,
            username: username.to_owned(),
            address: "203.0.113.7".to_owned(),
        },
        reseller: (username == "ann").then_some(OURS),
        times,
        last_at: at(minute * 60 + times),
    }
}

async fn lines_of_the_trail_add_up_and_are_found(bed: &Bed) {
    let wrong = AccessOutcome::WrongSecret;
    let lines = [
        line(1, "ann", wrong, 2),
        line(1, "ann", wrong, 5),
        line(2, "bob ☃", AccessOutcome::UnknownUsername, 1),
        line(3, "ann", AccessOutcome::SignedIn, 1),
    ];
    for line in &lines {
        commit(bed, |change| change.add_access(line)).await.unwrap();
    }
    let found = async |filter: AccessFilter| {
        let found = bed.store.access_trail(&filter, 9).await.unwrap();
        found.iter().map(|line| line.times).collect::<Vec<_>>()
    };
    let all = AccessFilter::default;
    assert_eq!(found(all()).await, [1, 1, 7]);
    let together = bed.store.access_trail(&all(), 9).await.unwrap().remove(2);
    assert_eq!((together.last_at, together.reseller), (at(65), Some(OURS)));
    let of_ann = AccessFilter {
        username: Some("ann".to_owned()),
        only_refusals: true,
        ..all()
    };
    assert_eq!(found(of_ann).await, [7]);
    let ours = AccessFilter {
        reseller: Some(OURS),
        since: Some(at(61)),
        before: Some(at(181)),
        ..all()
    };
    assert_eq!(found(ours).await, [1]);
    let unknown = AccessFilter {
        outcome: Some(AccessOutcome::UnknownUsername),
        address: Some("203.0.113.7".to_owned()),
        ..all()
    };
    assert_eq!(found(unknown).await, [1]);
    let theirs = AccessFilter {
        reseller: Some(ResellerId(9)),
        ..all()
    };
    assert_eq!(found(theirs).await, [0; 0]);
    assert_eq!(bed.store.access_trail(&all(), 1).await.unwrap().len(), 1);

    assert_eq!(
        bed.store
            .prune(Stale::AccessTrail, at(120), 9)
            .await
            .unwrap(),
        1
    );
    assert_eq!(found(all()).await, [1, 1]);
}

async fn the_last_use_of_a_credential_counts(bed: &Bed) {
    crate::things::store_resellers(bed).await;
    let made = "insert into credentials (username, reseller_id, secret_hash, created_at)
        values ('ann', $1, $2, 1), ('bob', $1, $2, 1)";
    bed.apply(made, chancery_store::values![OURS.0, [1_u8; 32]])
        .await;
    let used = |seconds, address: &str| CredentialUse {
        username: "ann".to_owned(),
        used_at: at(seconds),
        address: address.to_owned(),
    };
    for (seconds, address) in [(5, "203.0.113.1"), (9, "203.0.113.2"), (7, "203.0.113.3")] {
        commit(bed, |change| change.note_use(&used(seconds, address)))
            .await
            .unwrap();
    }
    let uses = bed.store.credential_uses(OURS).await.unwrap();
    assert_eq!(uses, [used(9, "203.0.113.2")]);
}

async fn what_is_old_is_removed_in_steps(bed: &Bed) {
    for minute in 1..=7 {
        let line = line(minute, "eve", AccessOutcome::WrongSecret, 1);
        commit(bed, |change| change.add_access(&line))
            .await
            .unwrap();
    }
    let step = async || {
        bed.store
            .prune(Stale::AccessTrail, at(6 * 60), 2)
            .await
            .unwrap()
    };
    assert_eq!([step().await, step().await, step().await], [2, 2, 1]);
    let left = bed
        .store
        .access_trail(&AccessFilter::default(), 9)
        .await
        .unwrap();
    assert_eq!(
        left.iter().map(|line| line.key.period).min(),
        Some(at(6 * 60))
    );
    // Nothing there is nothing removed, of anything.
    for what in Stale::ALL {
        assert_eq!(
            bed.store.prune(what, at(1), 5).await.unwrap(),
            0,
            "{what:?}"
        );
    }
}

fn a_look(seconds: i64, outcome: Outcome) -> Observation {
    Observation {
        name: name("shop.example"),
        method: Method::Dns,
        at: at(seconds),
        asked: "TXT _dnsauth.shop.example".to_owned(),
        of: "192.0.2.53".to_owned(),
        found: String::new(),
        outcome,
        advice: String::new(),
        proved_domain: None,
    }
}

async fn looks_of_runs_that_go_on_and_what_proved_a_name_stay(bed: &Bed) {
    let (_, open) = store_an_order(bed, 101).await;
    let (_, settled) = store_an_order(bed, 201).await;
    let looks = [Outcome::NotFound, Outcome::Timeout, Outcome::Proved];
    let mut id = 900;
    for issuance in [open.id, settled.id] {
        for (seconds, outcome) in (1..).zip(looks) {
            id += 1;
            let look = a_look(seconds, outcome);
            commit(bed, |change| change.insert_observation(id, issuance, &look))
                .await
                .unwrap();
        }
    }
    let cancelled = settled.clone().cancel(at(50)).unwrap();
    commit(bed, |change| change.save_issuance(&cancelled))
        .await
        .unwrap();

    let prune = async |what, before| bed.store.prune(what, at(before), 9).await.unwrap();
    assert_eq!(prune(Stale::FailedLooks, 2).await, 1);
    assert_eq!(prune(Stale::FailedLooks, 1_000).await, 1);
    let left = async |issuance: IssuanceId| {
        let looks = bed.store.observations(issuance, 9).await.unwrap();
        looks.iter().map(|look| look.outcome).collect::<Vec<_>>()
    };
    assert_eq!(left(settled.id).await, [Outcome::Proved]);
    assert_eq!(left(open.id).await.len(), 3);
    assert_eq!(prune(Stale::ProvingLooks, 3).await, 0);
    assert_eq!(prune(Stale::ProvingLooks, 4).await, 2);
    assert_eq!(left(open.id).await.len(), 2);
}

async fn a_master_key_is_named_once_and_expected(bed: &Bed) {
    let record = async || bed.store.master_key_record().await.unwrap();
    assert_eq!(
        record().await,
        MasterKeyRecord {
            id: None,
            rotation: None
        }
    );
    commit(bed, |change| change.name_master_key("aa"))
        .await
        .unwrap();
    let is_refused =
        |outcome: Result<(), StoreError>| matches!(outcome, Err(StoreError::Refused("master_key")));
    assert!(is_refused(
        commit(bed, |change| change.name_master_key("bb")).await
    ));
    let seal = async |id: &str| {
        commit(bed, |change| {
            change.expect_master_key(id);
            change.set_meta("sealed", id);
        })
        .await
    };
    seal("aa").await.unwrap();
    assert!(is_refused(seal("bb").await));

    assert!(is_refused(
        commit(bed, |change| change.begin_rotation("bb", "cc")).await
    ));
    commit(bed, |change| change.begin_rotation("aa", "bb"))
        .await
        .unwrap();
    let both = ("aa".to_owned(), "bb".to_owned());
    let rotating = MasterKeyRecord {
        id: Some("bb".to_owned()),
        rotation: Some(both),
    };
    assert_eq!(record().await, rotating);
    // From then on nothing is sealed under the key of before.
    assert!(is_refused(seal("aa").await));
    assert_eq!(
        bed.store.meta("sealed").await.unwrap().as_deref(),
        Some("aa")
    );
    commit(bed, Change::end_rotation).await.unwrap();
    assert_eq!(record().await.rotation, None);
    assert!(is_refused(commit(bed, Change::end_rotation).await));
}

async fn a_secret_is_sealed_anew_unless_it_moved(bed: &Bed) {
    let rows = "insert into password_mails (id, customer_id, sealed_password, message_id, created_at, expires_at)
        values (1, $1, $2, 'a', 1, 2), (2, $1, $3, 'b', 1, 2), (3, $1, $4, 'c', 1, 2)";
    crate::things::store_resellers(bed).await;
    let values = chancery_store::values![OURS.0, [1_u8], [2_u8], Vec::<u8>::new()];
    bed.apply(rows, values).await;
    let place = SealedPlace::PasswordMail;
    let all = async || bed.store.sealed(place, &place.first(), 9).await.unwrap();
    let found = all().await;
    assert_eq!(found.len(), 2, "a wiped secret is none");
    let after = bed.store.sealed(place, &found[0].key, 9).await.unwrap();
    assert!(after == found[1..]);
    commit(bed, |change| change.wipe_password_mail(2))
        .await
        .unwrap();
    commit(bed, |change| {
        change.reseal(&found[0], &[11]);
        change.reseal(&found[1], &[12]);
    })
    .await
    .unwrap();
    let left = all().await;
    assert_eq!((left.len(), &left[0].sealed[..]), (1, &[11][..]));

    let secret = async || bed.store.secret("x").await.unwrap();
    assert_eq!(secret().await, None);
    commit(bed, |change| change.put_first_secret("x", &[1], at(1)))
        .await
        .unwrap();
    commit(bed, |change| change.put_first_secret("x", &[2], at(2)))
        .await
        .unwrap();
    assert_eq!(secret().await, Some(vec![1]));
    commit(bed, |change| change.put_secret("x", &[3], at(3)))
        .await
        .unwrap();
    assert_eq!(secret().await, Some(vec![3]));
}

/// A column that something sealed is put into later must be sealed anew with the others.
async fn every_sealed_column_is_known(bed: &Bed) {
    let columns = match bed.store.engine() {
        Engine::Sqlite => {
            "select distinct m.name || '.' || c.name from sqlite_schema m
             join pragma_table_info(m.name) c
             where m.type = 'table' and (c.name like 'sealed%' or c.name like '%\\_sealed' escape '\\'
                or c.name in ('key', 'root_key', 'issuing_key') and c.type = 'BLOB')
             order by 1"
        }
        Engine::Postgres => {
            "select table_name || '.' || column_name from information_schema.columns
             where table_schema = current_schema() and (column_name like 'sealed%'
                or column_name like '%\\_sealed'
                or column_name in ('key', 'root_key', 'issuing_key') and data_type = 'bytea')
             order by 1"
        }
    };
    let found: Vec<String> = bed
        .rows(columns)
        .await
        .iter()
        .map(|row| row.string(0).unwrap())
        .collect();
    assert_eq!(
        found,
        [
            "approvals.sealed_token",
            "authorities.issuing_key",
            "authorities.root_key",
            "issuing_cas.key",
            "password_mails.sealed_password",
            "secrets.sealed",
        ]
    );
}
