// Package disk is the machine's disk, which can be told to be slow, full or broken, and which
// knows what a loss of power would take.
//
// FS follows the files below one directory. What was not synced is of two kinds: the end of a
// file that was written since its last sync, and what has changed in a directory since the last
// sync of that: files that came, went and were renamed. LosePower stops all writers for ever, and
// then makes the directory what a machine could find there after its power came back:
//
//   - Of the end of a file each sector is kept or lost by chance; what is lost before one that is
//     kept reads as zeros.
//   - A new name is kept or lost by chance, whatever became of earlier ones: file systems exist
//     that keep no order between files.
//   - A name that went, or was replaced by a rename or by a new file, goes for good only if all
//     that changed in its directory before has been kept. So a rename is one step, and nothing is
//     lost to a removal that rests on something else. Pebble expects no less
//     (vfs.NewCrashableMem, which always brings such names back), and journals of real file
//     systems give no less.
//
// Something is lost wherever something was not synced, unless all is to be kept.
//
// A file that is removed stays open until its directory is synced, so that it can be brought back.
// Files are only appended to: one that is reused is written anew, and WriteAt is refused.
//
// What an earlier process had not synced when it was killed counts as synced: that is not known
// here. Nor is the creation of the directory itself undone.
package disk
