//! Signed as `pkg/README.md` says, with a key that is thrown away.

use lab::Init;

use crate::packaged::{VERSION, assert_verified, bare, file};

#[test]
fn a_signed_package_is_verified_and_a_changed_one_is_not() {
    let kit = bare(Init::SysV);
    let file = file(VERSION);
    let tags = || kit.sh(&format!("rpm -qp --qf '%{{ARCHIVESIZE}} %{{SIGMD5}}' {file}"));
    let before = tags();
    kit.sh(
        "gpg --quiet --batch --passphrase '' --quick-generate-key 'Throw-away <key@example.com>' \
         rsa3072 sign never && gpg --armor --export key@example.com >/root/key.asc",
    );
    kit.sh(&format!("rpmsign --define '_gpg_name key@example.com' --define '__gpg /usr/bin/gpg' --addsign {file} >/dev/null"));
    assert_eq!(tags(), before, "what rpm 4.11 needs is still there");

    let unknown = kit.node.run(&["rpm", "-K", &file]).expect("running rpm");
    assert!(!unknown.success(), "nobody knows the key yet: {unknown:?}");
    kit.sh("rpm --import /root/key.asc");
    assert!(kit.sh(&format!("rpm -K {file}")).ends_with("digests signatures OK\n"));
    let verbose = kit.sh(&format!("rpm -Kv {file}"));
    assert!(verbose.contains("RSA/SHA"), "{verbose}");

    kit.sh(&format!("rpm -i {file}"));
    assert_verified(&kit, VERSION);
    assert!(kit.sh("rpm -qi dovecot-ark").contains("RSA/SHA"));

    kit.sh(&format!("printf x | dd of={file} bs=1 seek=50000 conv=notrunc status=none"));
    let changed = kit.node.run(&["rpm", "-K", &file]).expect("running rpm");
    assert!(!changed.success() && changed.stdout.contains("NOT OK"), "{changed:?}");
}
