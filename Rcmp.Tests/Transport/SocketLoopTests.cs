using System.Net;
using System.Net.Sockets;
using Akka.Actor;
using Microsoft.Extensions.Logging.Abstractions;
using Rcmp.Cluster.Transport;
using Rcmp.Native;

namespace Rcmp.Tests.Transport;

/// <summary>The end of the transport's thread: an exception there would end the process.</summary>
public sealed class SocketLoopTests
{
    [Fact]
    public async Task AConnectionAcceptedWhileTheLoopEndsIsClosedAndTheLoopEnds()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        var loop = new SocketLoop(new ActorLane());
        var late = new AcceptsLate(listener, loop);
        loop.Add(listener, late, Readiness.Read);
        await client.ConnectAsync(listener.LocalEndPoint!, TestContext.Current.CancellationToken);
        Assert.IsType<ObjectDisposedException>(await late.Refused.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));
        await loop.StopAsync().WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal(0, await client.ReceiveAsync(new byte[1], TestContext.Current.CancellationToken));
    }

    private sealed class AcceptsLate(Socket listener, SocketLoop loop) : IWatchedSocket
    {
        public TaskCompletionSource<Exception?> Refused { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void OnReady(Readiness readiness)
        {
            var socket = listener.Accept();
            _ = loop.StopAsync();
            var address = new Address("tcp", "test", "127.0.0.1", 1);
            Refused.TrySetResult(Record.Exception(() => new SocketAssociation(socket, address, address, loop, 1024, new TransportLog(NullLogger.Instance))));
        }

        public void Close()
        {
        }
    }
}
