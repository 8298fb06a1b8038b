//! What starts Dovecot where the cluster does not want it, and an installation that is cut short.
//!
//! How `install` gives all of this back is for the tests of the installation.

use std::thread;
use std::time::Duration;

use lab::{Dialect, Init};

use crate::rows;
use crate::scene::Scene;

rows!(
    f23_a_dovecot_that_starts_at_boot_is_reported_and_taken_off,
    f37_an_installation_that_is_killed_is_finished_by_the_next_one,
);

rows!(under systemd:
    f22_a_socket_unit_that_would_start_it_is_reported_and_stopped,
);

/// Lays LifeKeeper on the node; it protects nothing.
fn lay_lifekeeper(scene: &Scene) {
    let standin = lab::program("lifekeeper-standin").expect("the stand-in");
    scene.node.lay_lifekeeper(&standin, Dialect::Guess).expect("laying LifeKeeper");
}

/// What of Dovecot starts at boot.
fn links(scene: &Scene) -> String {
    scene.sh("find /etc/rc?.d /etc/systemd/system -name 'S??dovecot' -o -name 'dovecot.*' -type l")
}

fn f22_a_socket_unit_that_would_start_it_is_reported_and_stopped(scene: &Scene) {
    lay_lifekeeper(scene);
    scene.sh("systemctl enable --now --quiet dovecot.socket");
    scene.doctor_says("dovecot.socket is active");
    scene.ark("install --standby");
    scene.insist(links(scene).is_empty(), "it listens again after a boot");
    scene.expect("quickCheck", 1);
    scene.insist(scene.dovecot().is_empty(), "the check itself has started it");
    scene.is_gone();
}

fn f23_a_dovecot_that_starts_at_boot_is_reported_and_taken_off(scene: &Scene) {
    lay_lifekeeper(scene);
    let words = match scene.place.init {
        Init::SysV => {
            scene.sh("update-rc.d dovecot enable");
            "the init script is run at boot"
        }
        Init::Systemd => {
            scene.sh("systemctl enable --quiet dovecot.service");
            "enabled: dovecot.service"
        }
    };
    assert_ne!(links(scene), "");
    scene.doctor_says(words);
    scene.ark("install --standby");
    scene.insist(links(scene).is_empty(), "it starts at boot on a standby");
}

fn f37_an_installation_that_is_killed_is_finished_by_the_next_one(scene: &Scene) {
    if !scene.is_kit() {
        return; // the original has no such command
    }
    lay_lifekeeper(scene);
    for moment in [10, 40, 100, 200] {
        let words = ["dovecot-ark", "install"];
        let running = scene.node.spawn(&words).expect("calling install");
        thread::sleep(Duration::from_millis(moment));
        running.kill();
    }
    scene.ark("install");
    // LifeKeeper itself goes on with what a killed installation asked it for.
    let state = format!("{}/bin/ins_list -f: -t dovecot | cut -d: -f7", lab::LKROOT);
    scene.until("it does not come into service", || scene.sh(&state) == "ISP\n");
    scene.expect("quickCheck", 0);
    scene.serves();
    assert!(scene.ark("install").contains("nothing to do"));
}
