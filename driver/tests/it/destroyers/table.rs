//! Disks that are not blank.
//!
//! A script makes each on a disk of zeros, which it knows as `$disk`; `put OFFSET BYTES` writes
//! bytes in printf's notation, `zero OFFSET LENGTH` erases, `end LENGTH` is that far from the end.

/// A disk, how it is made, and what is said of it.
pub(super) struct Destroyer {
    pub(super) name: &'static str,
    pub(super) script: &'static str,
    pub(super) said: &'static str,
}

const fn disk(name: &'static str, script: &'static str, said: &'static str) -> Destroyer {
    Destroyer { name, script, said }
}

const UNKNOWN: &str = "holds data of unknown kind at offset";

/// Those that fit on 16 MiB.
pub(super) const SMALL: &[Destroyer] = &[
    // File systems, made by their own programs.
    disk("minix", "mkfs.minix $disk", "minix"),
    disk("bfs", "mkfs.bfs $disk", "bfs"),
    disk("vfat, 12 bits", "mkfs.vfat -F 12 $disk", "vfat"),
    disk("vfat, 16 bits", "mkfs.vfat -F 16 $disk", "vfat"),
    disk("vfat, 32 bits", "mkfs.vfat -F 32 -s 1 $disk", "vfat"),
    disk("exfat", "mkfs.exfat $disk", "exfat"),
    disk("ntfs", "mkfs.ntfs -q -F -f $disk", "ntfs"),
    disk("jfs", "mkfs.jfs -q $disk", "jfs"),
    disk("udf", "mkudffs $disk", "udf"),
    disk(
        "iso9660",
        "echo x > $dir/f; genisoimage -quiet -o $dir/i $dir/f; cat $dir/i > $disk",
        "iso9660",
    ),
    disk(
        "squashfs",
        "echo x > $dir/f; mksquashfs $dir/f $dir/s -quiet -no-progress -noappend; cat $dir/s > $disk",
        "squashfs",
    ),
    disk(
        "cramfs",
        "mkdir -p $dir/c; echo x > $dir/c/f; mkfs.cramfs $dir/c $dir/r; cat $dir/r > $disk",
        "cramfs",
    ),
    disk("romfs by hand", "put 0 '-rom1fs-\\0\\0\\1\\0'", "romfs"),
    disk("swap", "mkswap -q $disk", "swap"),
    disk("swap of another page size", "put 65526 SWAPSPACE2", "swap"),
    disk("a hibernated swap", "put 4086 S1SUSPEND", "suspend"),
    // File systems by their magic numbers.
    disk("ocfs2", "put 4096 OCFSV2", "ocfs2"),
    disk("gfs2", "put 65536 '\\001\\026\\031\\160'", "gfs2"),
    disk("reiserfs", "put 65588 ReIsEr2Fs", "reiserfs"),
    disk("reiser4", "put 65536 ReIsEr4", "reiser4"),
    disk(
        "bcachefs",
        "put 4120 '\\306\\205\\163\\366\\146\\316\\220\\251\\331\\152\\140\\317\\200\\075\\367\\357'",
        "bcachefs",
    ),
    disk("erofs", "put 1024 '\\342\\341\\365\\340'", "erofs"),
    disk("apfs", "put 32 NXSB", "apfs"),
    disk("hfs+", "put 1024 'H+\\0\\4'", "hfsplus"),
    disk("VMFS volume member", "put 1048576 '\\015\\320\\001\\300'", "VMFS_volume_member"),
    disk("VMFS", "put 2097152 '\\136\\361\\253\\057'", "VMFS"),
    // Encryption.
    disk(
        "LUKS1",
        "echo -n k | cryptsetup luksFormat -q --type luks1 --iter-time 1 $disk -",
        "crypto_LUKS",
    ),
    disk(
        "LUKS2",
        "echo -n k | cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --iter-time 1 $disk -",
        "crypto_LUKS",
    ),
    disk(
        "LUKS2 without its first header",
        "echo -n k | cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --iter-time 1 $disk -; zero 0 4096",
        "second header of crypto_LUKS",
    ),
    disk("BitLocker", "put 3 -FVE-FS-", "BitLocker"),
    disk("dm-verity hashes", "put 0 'verity\\0\\0\\1'", "verity"),
    disk("dm-integrity", "put 0 'integrt\\0\\1'", "integrity"),
    disk("vdo", "put 0 dmvdo001", "vdo"),
    // Volume managers and arrays.
    disk(
        "an LVM2 physical volume",
        "put 512 'LABELONE\\1\\0\\0\\0\\0\\0\\0\\0'; put 536 'LVM2 001'",
        "LVM2_member",
    ),
    disk(
        "md 0.90",
        "put $(($(end 0) / 65536 * 65536 - 65536)) '\\374\\116\\053\\251'",
        "linux_raid_member",
    ),
    disk("md 1.0", "put $(end 8192) '\\374\\116\\053\\251\\001'", "linux_raid_member"),
    disk("md 1.1", "put 0 '\\374\\116\\053\\251\\001'", "linux_raid_member"),
    disk("md 1.2", "put 4096 '\\374\\116\\053\\251\\001'", "linux_raid_member"),
    disk("Oracle ASM", "put 32 ORCLDISKVOL1", "oracleasm"),
    disk("ZFS, first label", "put 136192 '\\014\\261\\272\\0\\0\\0\\0\\0'", "zfs_member"),
    disk("ZFS, last label", "put $(end 131072) '\\014\\261\\272\\0\\0\\0\\0\\0'", "zfs_member"),
    disk("ceph bluestore", "put 0 'bluestore block device\\n'", "ceph_bluestore"),
    disk(
        "bcache",
        "put 4120 '\\306\\205\\163\\366\\116\\032\\105\\312\\202\\145\\365\\177\\110\\272\\155\\201'",
        "bcache",
    ),
    disk("drbd", "put $(end 4036) '\\203\\164\\002\\153'", "drbd"),
    disk("stratis", "put 516 '!Stra0tis\\206\\377\\002^Arh'", "stratis"),
    // Partition tables.
    disk("GPT", "echo 'label: gpt\nstart=2048' | sfdisk -q --no-reread $disk", "gpt"),
    disk(
        "GPT, primary only",
        "echo 'label: gpt\nstart=2048' | sfdisk -q --no-reread $disk; zero $(end 65536) 65536",
        "gpt",
    ),
    disk(
        "GPT, backup only",
        "echo 'label: gpt\nstart=2048' | sfdisk -q --no-reread $disk; zero 0 65536",
        "gpt backup",
    ),
    disk("GPT without a partition", "echo 'label: gpt' | sfdisk -q --no-reread $disk", "gpt"),
    disk("MBR", "echo 'start=2048, type=83' | sfdisk -q --no-reread $disk", "dos"),
    disk(
        "MBR without its boot mark",
        "echo 'start=2048, type=83' | sfdisk -q --no-reread $disk; zero 510 2",
        UNKNOWN,
    ),
    disk("MBR without entries", "put 510 '\\125\\252'", "dos partition table"),
    disk(
        "a BSD disk label",
        "echo 'label: dos' | sfdisk -q --no-reread $disk; put 512 'WEV\\202'",
        "dos",
    ),
    // Remains.
    disk(
        "ext4 without its superblock",
        "mke2fs -q -t ext4 $disk; zero 1024 1024",
        "ext at offset 8389688",
    ),
    disk(
        "ext4 without its first MiB",
        "mke2fs -q -t ext4 $disk; zero 0 1048576",
        "ext at offset 8389688",
    ),
    disk(
        "ext4 without any superblock",
        "mke2fs -q -t ext4 $disk; zero 1024 1024; zero 8389632 1024",
        UNKNOWN,
    ),
    disk(
        "ext4 and a LUKS header at once",
        "mke2fs -q -t ext4 $disk; put 0 'LUKS\\272\\276\\0\\1'",
        "crypto_LUKS",
    ),
    disk("ext4 and swap at once", "mke2fs -q -t ext4 $disk; put 4086 SWAPSPACE2", "swap"),
    disk(
        "ext4 with an unknown feature",
        "mke2fs -q -t ext4 $disk; put 1120 '\\377\\377\\377\\377'",
        "ext",
    ),
    // Data without a known signature.
    disk(
        "text from the first byte",
        "yes precious | head -c 65536 | dd of=$disk conv=notrunc status=none",
        UNKNOWN,
    ),
    disk("random data all over", "head -c 16M /dev/urandom > $disk", "holds"),
    disk("one byte, the first", "put 0 x", UNKNOWN),
    disk("one byte, number 777777", "put 777777 x", UNKNOWN),
    disk("one byte in the middle", "put $(($(end 0) / 2)) x", UNKNOWN),
    disk("one byte, the last", "put $(end 1) x", UNKNOWN),
    disk("one bit at the end of the first sector", "put 511 '\\001'", UNKNOWN),
    disk("a tar archive", "echo x > $dir/f; tar -C $dir -cf $dir/t f; cat $dir/t > $disk", UNKNOWN),
    disk("a database's file", "put 0 'SQLite format 3\\0'", UNKNOWN),
    disk("all ones", "head -c 16M /dev/zero | tr '\\0' '\\377' > $disk", UNKNOWN),
];

/// Those that need 320 MiB.
pub(super) const LARGE: &[Destroyer] = &[
    disk("xfs", "mkfs.xfs -q $disk", "holds xfs and the pod asks for ext4"),
    disk("xfs without its first 32 MiB", "mkfs.xfs -q $disk; zero 0 33554432", "xfs at offset"),
    disk("xfs whose mkfs was broken off", "mkfs.xfs -q $disk; put 126 '\\001'", "xfs"),
    disk("btrfs", "mkfs.btrfs -q $disk", "it holds btrfs; it is neither"),
    disk(
        "btrfs without its first superblock",
        "mkfs.btrfs -q $disk; zero 65536 4096",
        "btrfs at offset 67108928",
    ),
    disk("f2fs", "mkfs.f2fs -q $disk", "f2fs"),
    disk("nilfs2", "mkfs.nilfs2 -q $disk", "nilfs2"),
    disk(
        "ext4 of another block size without its head",
        "mke2fs -q -t ext4 -b 4096 $disk; zero 0 33554432",
        "ext at offset 134217784",
    ),
    disk(
        "a sector behind the first 16 MiB",
        "head -c 512 /dev/urandom | dd of=$disk bs=512 seek=32768 conv=notrunc status=none",
        UNKNOWN,
    ),
    disk("a sector before the last 16 MiB", "put $(($(end 16777216) - 512)) precious", UNKNOWN),
    disk(
        "a zapped partition table, ext4 of a MiB at 100 MiB",
        "mke2fs -q -t ext4 $dir/inner 1m && dd if=$dir/inner of=$disk bs=1M seek=100 conv=notrunc status=none",
        UNKNOWN,
    ),
    disk(
        "8 MiB of data at 200 MiB",
        "head -c 8M /dev/urandom | dd of=$disk bs=1M seek=200 conv=notrunc status=none",
        UNKNOWN,
    ),
    disk(
        "a MiB of data in the middle",
        "head -c 1M /dev/urandom | dd of=$disk bs=1M seek=100 conv=notrunc status=none",
        UNKNOWN,
    ),
];
