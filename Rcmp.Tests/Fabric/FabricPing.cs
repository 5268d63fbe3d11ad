using System.Diagnostics;
using System.Globalization;
using Rcmp.Fabric;

namespace Rcmp.Tests.Fabric;

/// <summary>Remote reads and writes over tcp against our own C ping (Bench/Baselines/ping.c) with the same sizes and spin policy. Run it in Release, on a machine with
/// nothing else to do: <c>dotnet Rcmp.Tests.dll -class Rcmp.Tests.Fabric.FabricPing -explicit only -showLiveOutput</c>.</summary>
public sealed class FabricPing
{
    private const int Rounds = 20_000;
    private const int Repeats = 5;
    private const long SpinNs = 50_000;

    private static readonly (FabricOp Op, int Bytes)[] Cases =
        [(FabricOp.Read, 64), (FabricOp.Read, 4096), (FabricOp.Write, 64), (FabricOp.Write, 4096)];

    [Fact(Explicit = true)]
    public void RemoteAccessAgainstOurOwnPing()
    {
        var folder = Directory.CreateTempSubdirectory("rcmp-ping-");
        try
        {
            var program = Build(folder.FullName);
            using var served = new ServedMemory("tcp", options: new FabricServerOptions("", Guid.NewGuid(), ServedMemory.Owner, SpinNs: SpinNs));
            using var caller = served.Connect();
            var ping = new List<double[]>();
            var ours = new List<double[]>();
            // In turns, so that both see the same noise.
            for (var repeat = 0; repeat < Repeats; repeat++)
            {
                ping.Add(RunPing(program));
                ours.Add([.. Cases.Select(item => Measure(caller, item.Op, item.Bytes))]);
            }

            for (var i = 0; i < Cases.Length; i++)
            {
                var (floor, fabric) = (Median(ping, i), Median(ours, i));
                TestContext.Current.TestOutputHelper?.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{Cases[i].Op,-5} {Cases[i].Bytes,5} B  ping {floor / 1000:f2} us  fabric {fabric / 1000:f2} us  ratio {fabric / floor:f2}"));
            }
        }
        finally
        {
            folder.Delete(true);
        }
    }

    /// <summary>The harness itself, shrunk, so that it keeps working.</summary>
    [Fact]
    public void ThePingAndTheFabricCanBothBeMeasured()
    {
        using var served = new ServedMemory("tcp");
        using var caller = served.Connect();
        foreach (var (op, bytes) in Cases)
            Assert.True(Measure(caller, op, bytes, 50) > 0);
    }

    private static double Median(List<double[]> runs, int column) => runs.Select(run => run[column]).Order().ElementAt(runs.Count / 2);

    private static double Measure(FabricCaller caller, FabricOp op, int bytes, int rounds = Rounds)
    {
        var connection = caller.Connection;
        var request = caller.Request(op, 1, 0, bytes);
        var completions = new FabricCompletion[1];
        var times = new long[rounds];
        for (var i = -rounds / 10; i < rounds; i++)
        {
            var start = Stopwatch.GetTimestamp();
            connection.TryPost(request);
            connection.Wait(completions, SpinNs, FabricCaller.Timeout);
            if (i >= 0)
                times[i] = Stopwatch.GetTimestamp() - start;
            if (completions[0].Status != FabricStatus.Ok)
                Assert.Fail(completions[0].Status.ToString());
        }

        Array.Sort(times);
        return times[rounds / 2] * 1e9 / Stopwatch.Frequency;
    }

    private static string Build(string folder)
    {
        var source = Path.Combine(AppContext.BaseDirectory, "baselines", "ping.c");
        var program = Path.Combine(folder, "ping");
        using var gcc = Process.Start("gcc", ["-O3", "-pthread", "-o", program, source]);
        gcc.WaitForExit();
        Assert.Equal(0, gcc.ExitCode);
        return program;
    }

    private static double[] RunPing(string program)
    {
        var info = new ProcessStartInfo(program, [$"{Rounds}", $"{SpinNs}"]) { RedirectStandardOutput = true };
        using var ping = Process.Start(info)!;
        var lines = ping.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        ping.WaitForExit();
        Assert.Equal(Cases.Length, lines.Length);
        return [.. lines.Select(line => double.Parse(line.Split(' ')[2], CultureInfo.InvariantCulture))];
    }
}
