using System.Runtime.InteropServices;
using Rcmp.DataPath;
using Rcmp.Hosts.Cli;
using Rcmp.Runtime.Embedded;

namespace Rcmp.Hosts.Bench.Compare;

/// <summary>Reads, writes and compare-and-swaps against one-sided windows of OpenMPI: in the rack over its shared memory, across racks over its tcp. Both walk as much memory in
/// the same order, in batches as long, in turns.</summary>
internal sealed class WindowRows(ComparePlan plan, string folder, Action<string> say)
{
    private const string Source = "windows.c";
    private const int Largest = 64 << 10;
    private const int Window = 1 << 20;

    // As in windows.c.
    private const int Line = 64;
    private const int BatchBytes = 4 << 20;

    // In the order in which windows prints.
    private static readonly (string Name, string Against, int Bytes)[] Cases =
    [
        ("read", "get", 8), ("read", "get", 4 << 10), ("read", "get", Largest), ("written", "put", 8), ("written", "put", 4 << 10), ("written", "put", Largest),
        ("compare-and-swap", "compare-and-swap", 8),
    ];

    // Operations: of a batch, at most. Where one takes microseconds the clock may be read around each, and a late one does not hide among others.
    private static readonly (string Place, string Transport, int Operations, string[] Settings)[] Places =
    [
        ("in the rack", "shared memory", 1024, ["--mca", "btl", "self,vader", "--mca", "osc", "sm"]),
        // Its other components see that the target is on the same machine, and copy in shared memory.
        ("across racks", "tcp", 1, ["--mca", "btl", "self,tcp", "--mca", "osc", "pt2pt"]),
    ];

    public async Task<IReadOnlyList<CompareRow>> RunAsync(CancellationToken ct)
    {
        say("windows of OpenMPI");
        if (BaselineProgram.TryBuild(folder, Source, out var why) is not { } windows) return [.. Places.SelectMany((_, place) => Rows(place, null, why))];
        var options = new EmbeddedPoolOptions { Racks = 2, RegionSize = 32 << 20, Policy = SwapPolicy.DirectIo };
        using var cluster = new EmbeddedCluster(options, null, new EmbeddedPlaces { Fabric = "tcp://127.0.0.1:0" });
        await cluster.StartAsync(ct);
        await using var here = cluster.Connect(0);
        await using var there = cluster.Connect(1);
        var address = await here.AllocatePagesAsync(Window / here.Info.PageSize, null, ct);
        return [.. MeasurePlace(0, here, address, windows, ct), .. MeasurePlace(1, there, address, windows, ct)];
    }

    private IEnumerable<CompareRow> MeasurePlace(int place, PoolClient pool, GAddr address, BaselineProgram windows, CancellationToken ct)
    {
        var ours = Cases.Select(_ => new List<double>()).ToArray();
        var theirs = Cases.Select(_ => new List<double>()).ToArray();
        var operations = Places[place].Operations;
        var batches = operations == 1 ? plan.RemoteOperations : plan.RemoteOperations / 10;
        try
        {
            for (var round = 0; round < plan.Rounds; round++)
            {
                ct.ThrowIfCancellationRequested();
                var lines = windows.RunUnder(["mpirun", "--allow-run-as-root", "--bind-to", "none", "-n", "2", .. Places[place].Settings], Window, batches, operations);
                for (var i = 0; i < Cases.Length; i++)
                {
                    ours[i].Add(MedianNs(pool, address, batches, operations, Cases[i].Against, Cases[i].Bytes));
                    theirs[i].Add(BaselineProgram.Number(lines[i][2]));
                }
            }
        }
        catch (Exception failure) when (failure is CommandException or System.ComponentModel.Win32Exception)
        {
            // Its transports depend on how it was built and on the machine; the rest of the comparison does not.
            return Rows(place, null, $"mpirun: {failure.Message}");
        }

        return Rows(place, [.. ours.Zip(theirs, (our, their) => (Median.Of(our), Median.Of(their)))], null);
    }

    private static double MedianNs(PoolClient pool, GAddr window, int batches, int operations, string operation, int bytes)
    {
        // On a line, as the other side's.
        var array = GC.AllocateArray<byte>(bytes + Line, pinned: true);
        var buffer = array.AsMemory((int)(-Marshal.UnsafeAddrOfPinnedArrayElement(array, 0) & (Line - 1)), bytes);
        var step = Math.Max(bytes, Line);
        var offset = 0;
        GAddr Next()
        {
            var at = window + offset;
            offset = offset + 2 * step > Window ? 0 : offset + step;
            return at;
        }

        return Median.NsOfBatches(batches, Math.Min(operations, BatchBytes / bytes), operation switch
        {
            "get" => () => pool.Read(Next(), buffer.Span),
            "put" => () => pool.Write(Next(), buffer.Span),
            _ => () => pool.CompareExchange(Next(), 1, 0),
        });
    }

    internal static IEnumerable<CompareRow> Rows(int place, (double Ours, double Theirs)[]? medians, string? why) => Cases.Select((c, i) => new CompareRow
    {
        What = $"{new ByteSize(c.Bytes).ToShortString()} {c.Name} {Places[place].Place}", Against = $"{c.Against} in a window of OpenMPI, {Places[place].Transport}", Kind = RatioKind.SpeedUp,
        Measured = medians?[i].Ours ?? 0, Baseline = medians?[i].Theirs ?? 0, Floor = 1, Skipped = why,
    });
}
