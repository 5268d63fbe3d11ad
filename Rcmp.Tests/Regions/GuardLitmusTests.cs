using System.Diagnostics;
using Rcmp.Regions;

namespace Rcmp.Tests.Regions;

/// <summary>Without the barrier the mover takes a page from under a reader; with it never. The first proves that the second could fail.</summary>
public class GuardLitmusTests
{
    private const string ChildVariable = "RCMP_LITMUS_CHILD";
    private static readonly FrameIndex Frame = new(1);
    private static readonly TimeSpan ControlPatience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan TrialTime = TimeSpan.FromSeconds(3);

    public enum Order
    {
        None,
        Barrier,
        Fence,
    }

    [Fact]
    public void WithoutTheBarrierAReaderIsOverrun()
    {
        if (Environment.ProcessorCount < 2)
            Assert.Skip("Inconclusive: with one processor the two sides never run at once.");
        var (moves, violations) = RunThreads(Order.None, ControlPatience, stopAtViolation: true);
        if (violations == 0)
            Assert.Skip($"Inconclusive: {moves} moves within {ControlPatience.TotalSeconds} s, and no reordering was seen on this machine at this load.");
        Assert.True(violations > 0);
    }

    [Theory]
    [InlineData(Order.Barrier)]
    [InlineData(Order.Fence)]
    public void WithTheBarrierOrAFenceNoReaderIsEverOverrun(Order order)
    {
        var (moves, violations) = RunThreads(order, TrialTime, stopAtViolation: false);
        Assert.True(moves > 100, $"only {moves} moves");
        Assert.Equal(0, violations);
    }

    [Theory]
    [InlineData(Order.None)]
    [InlineData(Order.Barrier)]
    public async Task TheSameAcrossProcesses(Order order)
    {
        using var fixture = new RegionFixture();
        var daemon = fixture.StartDaemon();
        var page = fixture.Page(1);
        daemon.MakeResident(Frame, page);
        var record = daemon.Sessions.TryAllocate(0)!;
        var start = new ProcessStartInfo("dotnet", [typeof(GuardLitmusTests).Assembly.Location, "-class", typeof(GuardLitmusChild).FullName!])
        {
            RedirectStandardOutput = true,
            Environment = { [ChildVariable] = string.Join('|', fixture.Path, record.Index, record.Token, record.LockPath, page.Value) },
        };
        var child = Process.Start(start)!;
        fixture.Keep(new RegionFixture.Killed(child));
        var output = child.StandardOutput.ReadToEndAsync();
        await Eventually.TrueAsync(() => daemon.Region.ReadSession(record.Index).SlotsUsed > 0, "the reading process", TimeSpan.FromSeconds(60));
        var clock = Stopwatch.StartNew();
        var patience = order == Order.None ? ControlPatience : TrialTime;
        var moves = GuardLitmus.Move(
            daemon.Region, daemon.Guards, record.Index, 0, page, Frame, order == Order.Barrier, () => clock.Elapsed > patience || (order == Order.None && clock.ElapsedMilliseconds > 5000));
        // The child stops when the page is gone from the table.
        daemon.Store.TrySetLocation(page, Location.Absent);
        await child.WaitForExitAsync(new CancellationTokenSource(TimeSpan.FromSeconds(60)).Token);
        Assert.True(File.Exists(fixture.Path + ".litmus"), await output);
        var violations = long.Parse(await File.ReadAllTextAsync(fixture.Path + ".litmus"), System.Globalization.CultureInfo.InvariantCulture);
        File.Delete(fixture.Path + ".litmus");
        if (order == Order.None && violations == 0)
            Assert.Skip($"Inconclusive: {moves} moves, and no reordering was seen.");
        Assert.True(moves > 100, $"only {moves} moves");
        Assert.Equal(order == Order.None, violations > 0);
    }

    private static (long Moves, long Violations) RunThreads(Order order, TimeSpan time, bool stopAtViolation)
    {
        using var fixture = new RegionFixture();
        var daemon = fixture.StartDaemon(order == Order.Fence);
        daemon.MakeResident(Frame, fixture.Page(1));
        var client = fixture.OpenClient();
        var session = fixture.OpenSession(daemon, client);
        session.TryAcquireSlot(out var slot);
        var clock = Stopwatch.StartNew();
        long violations = 0;
        var ended = false;
        var reader = new Thread(() =>
        {
            while (!Volatile.Read(ref ended))
            {
                var rounds = 0;
                Interlocked.Add(ref violations, GuardLitmus.Read(client, session, slot, fixture.Page(1), Frame, order == Order.Fence, () => Volatile.Read(ref ended) || ++rounds > 4).Violations);
            }
        });
        reader.Start();
        var moves = GuardLitmus.Move(
            daemon.Region, daemon.Guards, session.Index, slot, fixture.Page(1), Frame, order != Order.None,
            () => clock.Elapsed > time || (stopAtViolation && Interlocked.Read(ref violations) > 0));
        Volatile.Write(ref ended, true);
        reader.Join();
        return (moves, violations);
    }

    /// <summary>The reading side in its own process; does nothing in an ordinary run.</summary>
    internal static string? ChildTask => Environment.GetEnvironmentVariable(ChildVariable);
}

public class GuardLitmusChild
{
    [Fact]
    public void ReadsUntilThePageIsGone()
    {
        if (GuardLitmusTests.ChildTask is not { } task)
            return;
        var parts = task.Split('|');
        using var region = Region.OpenClient(parts[0], RegionExpectations.Any);
        var token = new SessionToken(ulong.Parse(parts[2], System.Globalization.NumberStyles.HexNumber, System.Globalization.CultureInfo.InvariantCulture));
        using var session = ClientSession.Open(region, int.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture), token, parts[3]);
        var page = new PageId(ulong.Parse(parts[4], System.Globalization.CultureInfo.InvariantCulture));
        session.TryAcquireSlot(out var slot);
        var (_, violations) = GuardLitmus.Read(region, session, slot, page, new FrameIndex(1), false, () => region.Lookup(page) == Location.Absent);
        File.WriteAllText(parts[0] + ".litmus", violations.ToString(System.Globalization.CultureInfo.InvariantCulture));
    }
}
