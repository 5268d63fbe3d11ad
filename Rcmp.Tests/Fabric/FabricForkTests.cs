using System.Diagnostics;
using Rcmp.Fabric;

namespace Rcmp.Tests.Fabric;

/// <summary>A process that is being started has all descriptors of this one, until it runs its own program.</summary>
public sealed class FabricForkTests
{
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(3);

    // A closed socket that such a process still has stays in the service thread's epoll set, with the memory of its connection gone.
    [Fact]
    public async Task ConnectionsThatEndWhileThisProcessStartsOthersHarmNobody()
    {
        using var served = new ServedMemory("tcp");
        served.Server.AcceptRegistration(ServedMemory.Link());
        var watch = Stopwatch.StartNew();
        var starting = Enumerable.Range(0, 2).Select(_ => Task.Factory.StartNew(
            () =>
            {
                var started = 0;
                for (; watch.Elapsed < Duration; started++)
                {
                    using var other = Process.Start("true");
                    other.WaitForExit();
                }

                return started;
            },
            TaskCreationOptions.LongRunning)).ToArray();
        var connecting = Enumerable.Range(0, 2).Select(_ => Task.Factory.StartNew(
            () =>
            {
                var connected = 0;
                while (watch.Elapsed < Duration)
                {
                    if (ServedMemory.TryConnect(served.Record(ServedMemory.Link()), ConnectionRole.Client, out var connection, out var _) != FabricConnectStatus.Ok) continue;
                    connection!.Dispose();
                    connected++;
                }

                return connected;
            },
            TaskCreationOptions.LongRunning)).ToArray();
        Assert.True((await Task.WhenAll(starting)).Sum() > 10);
        Assert.True((await Task.WhenAll(connecting)).Sum() > 10);
        using var last = served.Connect();
        Assert.True(last.Connection.IsUsable);
    }
}
