use std::sync::LazyLock;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::contact_details::{ContactDetails, PersonName};
use crate::evidence::{EvidenceFile, EvidenceId, record_time};
use crate::registrations::EntityCategory;
use crate::validity::days;

static RULES: LazyLock<ValidityRules> = LazyLock::new(ValidityRules::default);

fn start() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

fn later(minutes: i64) -> Timestamp {
    start() + SignedDuration::from_mins(minutes)
}

fn operator(name: &str) -> OperatorName {
    OperatorName::parse(name).unwrap()
}

fn an_organization() -> Organization {
    let text = "Example";
    Organization {
        id: OrganizationId(8),
        reseller: ResellerId(2001),
        details: ContactDetails {
            company: text.to_owned(),
            name: PersonName::Whole {
                name: text.to_owned(),
            },
            address1: text.to_owned(),
            address2: None,
            address3: None,
            city: text.to_owned(),
            state: text.to_owned(),
            country: "MY".to_owned(),
            zip: "57100".to_owned(),
            phone: "+60.1234567".parse().unwrap(),
            fax: None,
            email: "legal@shop.example".to_owned(),
            job_title: None,
        },
        technical: None,
        edition: 3,
        created_at: start(),
        modified_at: start(),
        version: 0,
    }
}

fn a_case(kind: VettingKind) -> VettingCase {
    VettingCase::open(CaseId(1), &an_organization(), kind, start())
}

fn registration() -> Registration {
    let category = EntityCategory::PrivateOrganization;
    Registration::check(category, "MY", None, None, "1550001-A").unwrap()
}

/// Evidence of an item by a source that counts, obtained when it was recorded.
fn evidence(id: i64, kind: VettingKind, item: ChecklistItem, by: &str) -> Evidence {
    let source = kind.row(item).map_or(Source::Review, |row| row.sources[0]);
    Evidence {
        id: EvidenceId(id),
        case: CaseId(1),
        item,
        source,
        reference: None,
        text: Some("as told".to_owned()),
        file: None,
        registration: (item == ChecklistItem::Registration).then(registration),
        collected_by: operator(by),
        obtained_at: later(id),
        recorded_at: later(id),
    }
}

/// Evidence of everything, the cross-check by somebody else.
fn all(kind: VettingKind, collector: &str, checker: &str) -> Vec<Evidence> {
    let rows = (1..).zip(kind.checklist());
    rows.map(|(id, row)| match row.item {
        ChecklistItem::CrossCheck => evidence(id, kind, row.item, checker),
        item => evidence(id, kind, item, collector),
    })
    .collect()
}

fn approve(kind: VettingKind, held: &[Evidence], by: &str) -> Result<VettingCase, VettingError> {
    a_case(kind).approve(held, operator(by), DualControl::Ev, &RULES, later(60))
}

fn approved(kind: VettingKind) -> VettingCase {
    approve(kind, &all(kind, "anna", "bert"), "bert").unwrap()
}

const OV: VettingKind = VettingKind::Ov;
const EV: VettingKind = VettingKind::Ev;

#[test]
fn one_person_is_enough_for_ov_unless_two_are_asked_for() {
    let held = all(OV, "anna", "anna");
    assert!(approve(OV, &held, "anna").is_ok());
    let control = DualControl::Always;
    let approve = |by| a_case(OV).approve(&held, operator(by), control, &RULES, later(60));
    assert!(matches!(
        approve("anna"),
        Err(VettingError::OnePerson(_, "approve it"))
    ));
    assert!(approve("bert").is_ok());
}

#[test]
fn ev_needs_an_approver_who_collected_nothing() {
    let mut held = all(EV, "anna", "bert");
    assert!(matches!(
        approve(EV, &held, "anna"),
        Err(VettingError::OnePerson(_, "approve it"))
    ));
    assert!(approve(EV, &held, "bert").is_ok());
    assert!(approve(EV, &held, "cleo").is_ok());
    // One piece is enough to be a collector, also one that another has taken the place of.
    let mut early = evidence(0, EV, ChecklistItem::Telephone, "cleo");
    early.obtained_at = start() - days(30);
    held.push(early);
    assert!(matches!(
        approve(EV, &held, "cleo"),
        Err(VettingError::OnePerson(..))
    ));
}

#[test]
fn the_cross_check_is_the_last_word_of_someone_who_collected_nothing() {
    let case = a_case(EV);
    let held = all(EV, "anna", "bert");
    let check = |by| evidence(30, EV, ChecklistItem::CrossCheck, by);
    let accept = |by| case.accept(&check(by), &held, &RULES, later(60));
    assert_eq!(
        accept("anna"),
        Err(VettingError::OnePerson(operator("anna"), "cross-check it"))
    );
    assert_eq!(accept("bert"), Ok(()));
    // More evidence after it asks for another one, and who collected it is out.
    let more = |by| {
        let mut held = held.clone();
        held.push(evidence(40, EV, ChecklistItem::Telephone, by));
        held
    };
    assert_eq!(case.missing(&more("cleo")), [ChecklistItem::CrossCheck]);
    let mut again = more("bert");
    again.push(evidence(50, EV, ChecklistItem::CrossCheck, "bert"));
    assert_eq!(case.missing(&again), [ChecklistItem::CrossCheck]);
    again.push(evidence(51, EV, ChecklistItem::CrossCheck, "dora"));
    assert_eq!(case.missing(&again), []);
}

#[test]
fn what_is_recorded_last_is_the_last_word_whatever_the_clocks_say() {
    let mut held = all(EV, "anna", "bert");
    let newest = held.iter().map(|held| held.recorded_at).max().unwrap();
    assert_eq!(record_time(&[], start()), start());
    assert_eq!(record_time(&held, later(60)), later(60));
    // By a server whose clock is behind, and whose ids are smaller.
    for item in [ChecklistItem::Telephone, ChecklistItem::CrossCheck] {
        let by = if item == ChecklistItem::CrossCheck {
            "bert"
        } else {
            "anna"
        };
        let mut late = evidence(0, EV, item, by);
        late.recorded_at = record_time(&held, start());
        assert!(late.recorded_at > newest);
        held.push(late);
        let lacks_check = a_case(EV).missing(&held) == [ChecklistItem::CrossCheck];
        assert_eq!(lacks_check, item != ChecklistItem::CrossCheck);
    }
}

#[test]
fn everything_has_to_be_shown() {
    for kind in VettingKind::ALL {
        let held = all(kind, "anna", "bert");
        for (at, row) in kind.checklist().enumerate() {
            let mut rest = held.clone();
            rest.remove(at);
            let missing = VettingError::Missing(vec![row.item]);
            assert_eq!(approve(kind, &rest, "cleo"), Err(missing));
        }
    }
    let text = approve(OV, &[], "cleo").unwrap_err().to_string();
    assert!(
        text.contains("legal-existence, address, telephone"),
        "{text}"
    );
}

#[test]
fn evidence_must_fit_its_item() {
    let case = a_case(OV);
    let good = evidence(1, OV, ChecklistItem::Address, "anna");
    let accept = |evidence: Evidence| case.accept(&evidence, &[], &RULES, later(60));
    assert_eq!(accept(good.clone()), Ok(()));
    let item = evidence(1, OV, ChecklistItem::DeniedLists, "anna");
    assert!(matches!(accept(item), Err(VettingError::Item { .. })));
    let source = Evidence {
        source: Source::Call,
        ..good.clone()
    };
    let refused = accept(source).unwrap_err().to_string();
    assert!(
        refused.starts_with("call does not show address; what counts is"),
        "{refused}"
    );
    let of_nobody = |by| Evidence {
        source: Source::TestEnvironment,
        collected_by: by,
        ..good.clone()
    };
    assert!(accept(of_nobody(operator("anna"))).is_err());
    assert_eq!(
        accept(of_nobody(OperatorName::platform("collector"))),
        Ok(())
    );
    let empty = Evidence {
        text: None,
        ..good.clone()
    };
    assert_eq!(accept(empty), Err(VettingError::Empty));
    let stray = Evidence {
        registration: Some(registration()),
        ..good.clone()
    };
    assert_eq!(accept(stray), Err(VettingError::Registration));
    let future = Evidence {
        obtained_at: later(61),
        ..good.clone()
    };
    assert_eq!(accept(future), Err(VettingError::Future));
    let old = Evidence {
        obtained_at: start() - days(399),
        ..good
    };
    assert!(matches!(accept(old), Err(VettingError::TooOld(_))));
    let file = |size| EvidenceFile {
        name: "extract.pdf".to_owned(),
        size,
        sha256: [0; 32],
    };
    let with_file = |size| Evidence {
        text: None,
        file: Some(file(size)),
        ..evidence(1, OV, ChecklistItem::Address, "anna")
    };
    assert_eq!(accept(with_file(FILE_MAX)), Ok(()));
    assert_eq!(accept(with_file(FILE_MAX + 1)), Err(VettingError::TooLarge));
    let bare = Evidence {
        registration: None,
        ..evidence(1, EV, ChecklistItem::Registration, "anna")
    };
    let refused = a_case(EV).accept(&bare, &[], &RULES, later(60));
    assert_eq!(refused, Err(VettingError::Registration));
}

#[test]
fn age_counts_from_the_oldest_evidence_used() {
    let mut held = all(OV, "anna", "anna");
    held[2].obtained_at = start() - days(100);
    let case = approve(OV, &held, "bert").unwrap();
    let last = start() + days(298);
    let counts = |now| case.approval_for(3, OV, &RULES, now).is_some();
    assert!(counts(last));
    assert!(!counts(last + SignedDuration::from_secs(1)));
    assert_eq!(
        case.standing(&RULES, last),
        Standing::Approved { until: last }
    );
    let after = case.standing(&RULES, last + days(1));
    assert_eq!(after, Standing::Expired { until: last });

    // A newer piece for the same item takes its place.
    held.push(evidence(9, OV, held[2].item, "anna"));
    let case = approve(OV, &held, "bert").unwrap();
    let last = later(1) + days(398);
    assert!(case.approval_for(3, OV, &RULES, last).is_some());
    assert!(
        case.approval_for(3, OV, &RULES, start() + days(399))
            .is_none()
    );
}

#[test]
fn nothing_is_approved_on_what_has_grown_too_old() {
    let held = all(OV, "anna", "anna");
    let now = start() + days(400);
    let refused = a_case(OV).approve(&held, operator("bert"), DualControl::Ev, &RULES, now);
    assert!(matches!(refused, Err(VettingError::TooOld(_))));
}

#[test]
fn an_approval_is_of_one_edition_and_kind() {
    let (ov, ev) = (approved(OV), approved(EV));
    let counts = |case: &VettingCase, edition, needed| {
        case.approval_for(edition, needed, &RULES, later(60))
            .is_some()
    };
    assert!(counts(&ov, 3, OV) && counts(&ev, 3, EV) && counts(&ev, 3, OV));
    assert!(!counts(&ov, 3, EV) && !counts(&ov, 4, OV) && !counts(&ev, 2, EV));
    let CaseState::Approved(approval) = ev.state else {
        panic!("not approved")
    };
    assert_eq!(approval.registration, Some(registration()));
}

#[test]
fn a_rejection_says_why() {
    for reason in ["", "  ", &"x".repeat(1001)] {
        let refused = a_case(OV).reject(operator("anna"), reason, later(1));
        assert_eq!(refused, Err(VettingError::Reason));
    }
    let reason = "the company is dissolved";
    let case = a_case(OV)
        .reject(operator("anna"), reason, later(1))
        .unwrap();
    assert_eq!(
        case.standing(&RULES, later(1)),
        Standing::Rejected {
            reason: reason.to_owned()
        }
    );
    // An approval can be taken back.
    let case = approved(EV)
        .reject(operator("anna"), reason, later(90))
        .unwrap();
    assert!(case.approval_for(3, EV, &RULES, later(90)).is_none());
}

#[test]
fn the_last_word_on_an_edition_counts() {
    let at = |id, case: VettingCase| VettingCase {
        id: CaseId(id),
        ..case
    };
    let rejected = |id| {
        let case = a_case(OV).reject(operator("anna"), "no", later(id));
        at(id, case.unwrap())
    };
    let asked_at = start();
    let says = |cases: &[VettingCase], now| match verdict(cases, 3, OV, asked_at, &RULES, now) {
        Verdict::Vetted(_) => "vetted",
        Verdict::Pending => "pending",
        Verdict::Rejected(reason) => {
            assert_eq!(reason, "no");
            "rejected"
        }
        Verdict::Unknown => "unknown",
    };
    let wants = |cases: &[VettingCase], now| wants_case(cases, 3, OV, &RULES, now);
    let now = later(90);
    assert_eq!(says(&[], now), "unknown");
    assert!(wants(&[], now));
    let open = at(2, a_case(OV));
    assert_eq!(says(&[rejected(1), open.clone()], now), "pending");
    assert!(!wants(&[rejected(1), open.clone()], now));
    assert_eq!(says(&[rejected(3), rejected(1)], now), "rejected");
    assert!(wants(&[rejected(1)], now));
    let asked_later = verdict(&[], 3, OV, later(2), &RULES, now);
    assert_eq!(asked_later, Verdict::Unknown);
    let before = [rejected(1)];
    let asked_later = verdict(&before, 3, OV, later(2), &RULES, now);
    assert_eq!(asked_later, Verdict::Unknown);
    // What was vetted stays so while it is looked into again.
    let vetted = at(1, approved(EV));
    assert_eq!(says(&[vetted.clone(), open], now), "vetted");
    assert!(!wants(std::slice::from_ref(&vetted), now));
    assert!(wants(std::slice::from_ref(&vetted), now + days(340)));
    assert_eq!(
        says(std::slice::from_ref(&vetted), now + days(399)),
        "unknown"
    );
    let other = VettingCase {
        edition: 2,
        ..vetted
    };
    assert_eq!(says(&[other], now), "unknown");
    let voided = rejected(1);
    assert!(voided.void(now).is_err());
    let voided = a_case(OV).void(now).unwrap();
    assert_eq!(says(&[voided], now), "unknown");
}

/// A case as it is after a decision of that minute: approved, or rejected.
fn decided(id: i64, kind: VettingKind, is_approved: bool, minute: i64) -> VettingCase {
    let mut case = match is_approved {
        true => approved(kind),
        false => a_case(kind)
            .reject(operator("anna"), "no", later(minute))
            .unwrap(),
    };
    if let CaseState::Approved(approval) = &mut case.state {
        approval.at = later(minute);
    }
    VettingCase {
        id: CaseId(id),
        ..case
    }
}

#[test]
fn a_later_rejection_ends_an_earlier_approval() {
    let now = later(500);
    let says = |cases: &[VettingCase], needed| {
        let asked_at = later(90);
        match verdict(cases, 3, needed, asked_at, &RULES, now) {
            Verdict::Vetted(_) => "vetted",
            Verdict::Pending => "pending",
            Verdict::Rejected(_) => "rejected",
            Verdict::Unknown => "unknown",
        }
    };
    let first = decided(1, OV, true, 100);
    let second = decided(2, OV, false, 200);
    assert_eq!(says(&[first.clone(), second.clone()], OV), "rejected");
    assert_eq!(says(&[second.clone(), first.clone()], OV), "rejected");
    assert!(wants_case(
        &[first.clone(), second.clone()],
        3,
        OV,
        &RULES,
        now
    ));
    // So does one that takes the newer approval back, and at the same moment as the earlier one.
    let newer = decided(2, OV, true, 150);
    assert_eq!(says(&[first.clone(), newer.clone()], OV), "vetted");
    let back = newer.clone().reject(operator("anna"), "no", later(200));
    assert_eq!(says(&[first.clone(), back.unwrap()], OV), "rejected");
    let same = decided(2, OV, false, 100);
    assert_eq!(says(&[first.clone(), same], OV), "rejected");
    // An older case that is rejected after the newer was approved ends that, too.
    let back = first.clone().reject(operator("anna"), "no", later(200));
    assert_eq!(says(&[back.unwrap(), newer], OV), "rejected");
    // What was approved afterwards stands; what is looked into afterwards is awaited.
    let third = decided(3, OV, true, 300);
    assert_eq!(says(&[first.clone(), second.clone(), third], OV), "vetted");
    let open = VettingCase {
        id: CaseId(3),
        ..a_case(OV)
    };
    assert_eq!(says(&[first.clone(), second.clone(), open], OV), "pending");
    // Another kind and another edition are other questions.
    let other = decided(2, EV, false, 200);
    assert_eq!(says(&[first.clone(), other], OV), "vetted");
    let other = VettingCase {
        edition: 2,
        ..second.clone()
    };
    assert_eq!(says(&[first, other], OV), "vetted");
    let thorough = decided(1, EV, true, 100);
    assert_eq!(says(&[thorough.clone(), second], OV), "vetted");
    let ended = [thorough, decided(2, EV, false, 200)];
    assert_eq!(says(&ended, EV), "rejected");
    assert_eq!(says(&ended, OV), "unknown");
}

#[derive(Clone, Debug)]
enum Step {
    Record(usize, u8, i64),
    Approve(u8),
    Reject(u8),
    Void,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..11_usize, 0..3_u8, 0..500_i64).prop_map(|(item, by, age)| Step::Record(item, by, age)),
        3 => (0..3_u8).prop_map(Step::Approve),
        1 => (0..3_u8).prop_map(Step::Reject),
        1 => Just(Step::Void),
    ]
}

fn someone(number: u8) -> OperatorName {
    operator(["anna", "bert", "cleo"][usize::from(number)])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Of whatever decisions on one edition, in whatever order they are read, the last counts.
    #[test]
    fn the_last_decision_counts(
        decisions in prop::collection::vec(any::<bool>(), 1..8),
        turn in 0..8_usize,
    ) {
        let numbered = (1..).zip(&decisions);
        let mut cases: Vec<VettingCase> = numbered
            .map(|(id, is_approved)| decided(id, OV, *is_approved, 100 + id))
            .collect();
        let at = turn % cases.len();
        cases.rotate_left(at);
        let now = later(200);
        let said = verdict(&cases, 3, OV, start(), &RULES, now);
        let is_approved = decisions.last() == Some(&true);
        prop_assert_eq!(matches!(said, Verdict::Vetted(_)), is_approved);
        prop_assert_eq!(matches!(said, Verdict::Rejected("no")), !is_approved);
        let shown = last_word(&cases, 3, OV, &RULES, now).unwrap().standing(&RULES, now);
        prop_assert_eq!(matches!(shown, Standing::Approved { .. }), is_approved);
        prop_assert_eq!(matches!(shown, Standing::Rejected { .. }), !is_approved);
    }

    /// Whatever is tried, in whatever order: an approval rests on all items, on young evidence and, for EV,
    /// on two people; and what is decided stays decided but for an approval that is taken back.
    #[test]
    fn an_approval_is_always_well_founded(
        is_ev in any::<bool>(),
        begins_full in any::<bool>(),
        steps in prop::collection::vec(any_step(), 0..40),
    ) {
        let kind = if is_ev { EV } else { OV };
        let mut case = a_case(kind);
        let mut held = if begins_full { all(kind, "anna", "bert") } else { Vec::new() };
        for (minute, step) in (100..).zip(steps) {
            let (before, now) = (case.clone(), later(minute));
            match step {
                Step::Record(at, by, age) => {
                    let Some(row) = kind.checklist().nth(at) else { continue };
                    let mut piece = evidence(minute, kind, row.item, "anna");
                    piece.collected_by = someone(by);
                    piece.obtained_at = now - SignedDuration::from_hours(24 * age);
                    if case.accept(&piece, &held, &RULES, now).is_ok() {
                        prop_assert_eq!(&case.state, &CaseState::Open);
                        held.push(piece);
                    }
                }
                Step::Approve(by) => {
                    let by = someone(by);
                    let moved = case.clone().approve(&held, by.clone(), DualControl::Ev, &RULES, now);
                    if let Ok(moved) = moved {
                        prop_assert_eq!(&case.state, &CaseState::Open);
                        prop_assert_eq!(moved.missing(&held), []);
                        prop_assert!(moved.approval_for(3, kind, &RULES, now).is_some());
                        let is_collector = held.iter().any(|held| {
                            held.item != ChecklistItem::CrossCheck && held.collected_by == by
                        });
                        prop_assert!(!(is_ev && is_collector));
                        case = moved;
                    }
                }
                Step::Reject(by) => {
                    case = case.clone().reject(someone(by), "no", now).unwrap_or(case);
                }
                Step::Void => case = case.clone().void(now).unwrap_or(case),
            }
            let is_final = matches!(
                before.state,
                CaseState::Rejected { .. } | CaseState::Voided { .. }
            );
            prop_assert!(!is_final || case == before);
            let was_approved = matches!(before.state, CaseState::Approved(_));
            prop_assert!(!was_approved || case == before || !matches!(
                case.state,
                CaseState::Open | CaseState::Approved(_)
            ));
        }
    }
}
