using System.Globalization;
using Rcmp.Hosts.Cli;
using Rcmp.Runtime;

namespace Rcmp.Hosts.Demo;

/// <summary>Says at the end what was seen.</summary>
internal static class DemoSummary
{
    /// <param name="view">Hears it.</param>
    /// <param name="result">What was measured.</param>
    /// <param name="rows">Of the workload.</param>
    /// <param name="mismatches">Files that came back changed.</param>
    /// <param name="region">Where a rack's region was.</param>
    public static void Tell(IDemoView view, DemoResult result, IReadOnlyList<DemoRow> rows, IReadOnlyList<string> mismatches, string region)
    {
        if (mismatches.Count > 0)
        {
            view.Say($"FAILED: {mismatches.Count} files came back changed.");
            return;
        }
        view.Say("What you have seen");
        view.Say($"  {result.Files} files, {new ByteSize(result.BytesVerified).ToShortString()}, went into the memory of one rack and came back whole from another.");
        if (rows.Count > 0)
        {
            view.Say($"  {Counts.Short(result.Swaps)} pages moved to the rack that used them: rack hits rose from {Percent(rows[0])} to {Percent(rows[^1])} of all accesses.");
            view.Say($"  An access to the own rack took {Latency.Short(result.RackHitP50Ns)} at the median, one to the other rack {Latency.Short(result.DirectIoP50Ns)}"
                + (result.RackHitP50Ns > 0 && result.DirectIoP50Ns > 0 ? $": {Counts.Short((double)result.DirectIoP50Ns / result.RackHitP50Ns)} times as long." : "."));
        }
        view.Say($"  All of it is gone again: no process, no shared memory, no file is left. {result.ElapsedSeconds.ToString("0.0", CultureInfo.InvariantCulture)} s.");
        view.Say($"  Here {Memory(region)} stood in for CXL memory, and tcp on this machine for RDMA. To go on: ./rcmp up, then ./rcmp shell.");
    }

    /// <summary>What the regions were made of. Their directory is gone by now.</summary>
    private static string Memory(string region) =>
        RegionFiles.IsInSharedMemory(region) ? RegionFiles.SharedMemory : $"files in {Path.GetDirectoryName(Path.GetDirectoryName(region))}";

    private static string Percent(DemoRow row) => (row.HitShare * 100).ToString("0", CultureInfo.InvariantCulture) + " %";
}
