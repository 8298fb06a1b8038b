//! A resource of the original kit, taken over and given back while Dovecot goes on.

use lab::kit::ORIGINALS;

use crate::kit::{Dialect, Init, Kit};

/// What takes it over.
const TAKE_OVER: [&str; 2] = ["install", "--take-over"];

/// A node whose Dovecot the original kit protects.
pub(crate) fn original(init: Init, dialect: Dialect) -> Kit {
    let kit = Kit::new(init, dialect);
    kit.node.lay_original().expect("the original kit");
    kit.create_of(ORIGINALS, "dovecot", "Yes");
    kit
}

fn master(kit: &Kit) -> u32 {
    kit.node.master().expect("the process table").expect("Dovecot runs")
}

/// Insists that LifeKeeper runs the original's programs, or the kit's.
#[track_caller]
fn assert_copies(kit: &Kit, programs: &str) {
    kit.node.require_copies("dovecot", programs).expect("these programs");
    assert_eq!(kit.state("dovecot").as_deref(), Some("ISP"));
}

#[test]
fn a_resource_of_the_original_kit_is_taken_over_and_given_back_while_dovecot_goes_on() {
    let (init, dialect) = (Init::SysV, Dialect::None);
    {
        let kit = original(init, dialect);
        let (start, master_before) = (kit.tree(), master(&kit));
        let seen = kit.ark(&["doctor", "--local"]).stdout;
        let what =
            "ARK4511: dovecot has other programs than the kit's: restore, remove, quickCheck";
        let cure = "cure: dovecot-ark install --tag dovecot --take-over";
        assert!(seen.contains(what) && seen.contains(cure), "{seen}");
        let would = kit.done(&[&TAKE_OVER[..], &["--dry-run"]].concat());
        for line in [
            "would mark the resource OSU",
            "would replace LifeKeeper's copies by",
            "would mark the resource ISP again\n",
        ] {
            assert!(would.contains(line), "{would}");
        }
        assert!(would.ends_with("nothing was changed\n"), "{would}");
        kit.assert_untouched(&start, "a dry run");

        let said = kit.done(&TAKE_OVER);
        assert!(said.ends_with("done: dovecot is ISP on this node\n"), "{said}");
        assert_copies(&kit, lab::STUBS);
        let seen = kit.ark(&["doctor", "--local"]).stdout;
        assert!(seen.contains("LifeKeeper's four copies are the kit's stubs"), "{seen}");
        assert_eq!(master(&kit), master_before, "{init}: {said}");
        assert!(kit.done(&TAKE_OVER).contains("nothing to do"));

        let said = kit.uninstall("");
        assert!(said.ends_with("is ISP on this node, with the programs it had before\n"), "{said}");
        assert_copies(&kit, ORIGINALS);
        assert_eq!(master(&kit), master_before, "{init}: {said}");
        // LifeKeeper notes why a state was set.
        let mut changes = start.changes(&kit.tree());
        changes.retain(|line| !line.contains("/opt/LifeKeeper/config"));
        assert_eq!(changes, [""; 0], "{init}, {dialect}");
    }
}

#[test]
fn a_taking_over_that_is_asked_to_end_is_undone_and_dovecot_stays_watched() {
    let kit = original(Init::SysV, Dialect::None);
    let master_before = master(&kit);
    // Asked at one of the renames, or at each from there on; strace asks this one process alone. Whoever
    // runs the tests may have had them ignore signals, as a shell has its background jobs ignore SIGINT.
    let asked = |signal: &str, when: &str| {
        let inject = format!("-e trace=rename -e inject=rename:signal={signal}:when={when}");
        let line = TAKE_OVER.join(" ");
        let strace = format!("env --default-signal strace -qq -o /dev/null {inject}");
        let script = format!("{strace} dovecot-ark {line}; exit $?");
        kit.node.sh(&script).expect("running strace")
    };
    let mut undone = 0;
    for number in 1.. {
        let ended = asked("SIGTERM", &number.to_string());
        assert_eq!(master(&kit), master_before, "{number}: {ended:#?}");
        if ended.status == Some(0) {
            assert_copies(&kit, lab::STUBS);
            break;
        }
        assert_eq!(ended.status, Some(1), "{number}: {ended:#?}");
        assert!(
            ended.stderr.contains("ARK3043: installing: interrupted by a signal"),
            "{ended:#?}"
        );
        assert_copies(&kit, ORIGINALS);
        undone += 1;
    }
    assert!(undone > 3, "it came {undone} times before the end");
    kit.uninstall("");

    let ended = asked("SIGHUP", "2+");
    assert_eq!(ended.status, Some(1), "a lost session sends several: {ended:#?}");
    assert_copies(&kit, ORIGINALS);

    let ended = asked("SIGINT", "2+");
    assert_eq!(ended.status, Some(130), "the second ends it at once: {ended:#?}");
    kit.done(&TAKE_OVER);
    assert_copies(&kit, lab::STUBS);
    assert_eq!(master(&kit), master_before);
}
