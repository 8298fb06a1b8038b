//! Three nodes: a real quorum, so that a node that loses its network is outvoted.

use lab::{Agent, Pacemaker, Plan, Trial};

use crate::{judge, kit, mail};

#[test]
fn of_three_nodes_the_one_without_a_network_is_cut_and_another_serves() {
    let plan = Plan { monitor: "5s", nodes: 3, ..Plan::new(&kit(), Agent::Kit) };
    let mut trial = Trial::begin(Pacemaker::start(&plan).expect("a cluster")).expect("mail");
    let came = trial.event(crate::LIMIT, |cluster, node| cluster.unplug(node)).expect("an event");
    println!("unplugged: {came:?}");
    assert_eq!((came.from, came.fenced), (1, vec![1]), "{:?}", trial.cluster.state());
    assert!(came.to.is_some_and(|node| node != 1) && came.downtime.is_some());

    trial.settle().expect("all three again");
    let (active, _) = trial.serving().expect("a master");
    mail(&mut trial, "killed", active, |cluster, node| {
        lab::stage::signal_master(cluster, node, "KILL")
    });
    judge(trial);
}
