using Rcmp.DataPath;
using Rcmp.Runtime.Embedded;

namespace Rcmp.Hosts.Bench.Compare;

/// <summary>Reads and writes of another rack's pages through the whole client, against the same messages in plain C with the same polling.</summary>
internal sealed class RemoteRows(ComparePlan plan, string folder, Action<string> say)
{
    /// <summary>Many short rounds: what else the machine does changes within a second, and must meet both sides alike.</summary>
    private const int Slices = 5;

    private readonly int _operations = plan.RemoteOperations / Slices;

    public async Task<IReadOnlyList<CompareRow>> RunAsync(CancellationToken ct)
    {
        say("remote reads and writes");
        var ping = BaselineProgram.TryBuild(folder, "ping.c", out var why);
        var places = new EmbeddedPlaces { Fabric = "tcp://127.0.0.1:0" };
        using var cluster = new EmbeddedCluster(new EmbeddedPoolOptions { Racks = 2, RegionSize = 32 << 20, Policy = SwapPolicy.DirectIo }, null, places);
        await cluster.StartAsync(ct);
        await using var owner = cluster.Connect(0);
        await using var client = cluster.Connect(1);
        var address = await owner.AllocatePagesAsync(1, null, ct);
        client.Read<ulong>(address);
        // In the order in which ping prints.
        (string Name, bool IsWrite, int Bytes)[] cases = [("read", false, 64), ("read", false, 4096), ("write", true, 64), ("write", true, 4096)];
        var ours = cases.Select(_ => new List<double>()).ToArray();
        var theirs = cases.Select(_ => new List<double>()).ToArray();
        for (var round = 0; round < plan.Rounds * Slices; round++)
        {
            ct.ThrowIfCancellationRequested();
            var lines = ping?.Run(_operations, (long)new PoolClientOptions().SpinNs);
            for (var i = 0; i < cases.Length; i++)
            {
                ours[i].Add(MedianNs(client, address, cases[i].IsWrite, cases[i].Bytes));
                if (lines is not null) theirs[i].Add(BaselineProgram.Number(lines[i][2]));
            }
        }

        return
        [
            .. cases.Select((c, i) => new CompareRow
            {
                What = $"{new Cli.ByteSize(c.Bytes).ToShortString()} remote {c.Name}, one at a time", Against = "the same messages in C over tcp", Measured = Median.Of(ours[i]), Baseline = Median.Of(theirs[i]),
                Floor = 1.2, Aim = 1.1, Skipped = ping is null ? why : null,
            }),
        ];
    }

    private double MedianNs(IMemoryPool pool, GAddr address, bool write, int bytes)
    {
        var buffer = new byte[bytes];
        return Median.NsOf(_operations, _ =>
        {
            if (write) pool.Write(address, buffer);
            else pool.Read(address, buffer);
        });
    }
}
