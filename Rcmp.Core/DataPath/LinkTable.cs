using Rcmp.Fabric;
using Rcmp.Protocol.Messages;
using Rcmp.Runtime;

namespace Rcmp.DataPath;

/// <summary>This client's connections, by the slots of the region's link table. Also has the owners destroy what is broken, so that guard slots come free.</summary>
internal sealed class LinkTable(
    ClientView view, RackId rack, SlotPool slots, IFabric fabric, IControlPlane control, SessionToken session, PoolClientOptions options,
    PoolClientCounters totals) : IDisposable
{
    /// <summary>Stands for the link to the rack's own server, wherever it is published.</summary>
    public const int SelfLink = -1;

    private static readonly TimeSpan RepeatReport = TimeSpan.FromMilliseconds(200);

    private readonly object _monitor = new();
    private readonly LinkConnections?[] _links = new LinkConnections?[view.LinkSlots];
    private readonly List<(ulong LinkNumber, ulong Connection)> _broken = [];
    private Thread? _reporter;
    private int _selfSlot;
    private bool _closed;

    /// <summary>The connections of the link that is in a slot now; null if there is none.</summary>
    public LinkConnections? Find(int linkSlot)
    {
        if (linkSlot == SelfLink && (linkSlot = FindSelf()) < 0)
            return null;
        var number = view.ReadLinkNumber(linkSlot);
        // Acquire: what it points to is made before it is stored.
        if (Volatile.Read(ref _links[linkSlot]) is { } known && known.Link.Number == number)
            return known;
        lock (_monitor)
        {
            var replaced = _links[linkSlot];
            if (replaced is not null && replaced.Link.Number == number)
                return replaced;
            // The slot has another link now: connections of the old one are of no use to anybody.
            _links[linkSlot] = null;
            replaced?.Dispose();
            if (_closed || number == 0 || view.ReadLink(linkSlot) is not { } link)
                return null;
            var connections = new LinkConnections(link, linkSlot, fabric, slots, options);
            Volatile.Write(ref _links[linkSlot], connections);
            return connections;
        }
    }

    /// <summary>The connection broke. Its requests in flight have been abandoned; the owner is asked to destroy it until the daemon has cleared their slots.</summary>
    public void Break(LinkConnections home, ClientConnection connection, bool hasAbandoned)
    {
        totals.CountBroken();
        connection.Dispose();
        home.Forget();
        if (!hasAbandoned)
            return;
        lock (_monitor)
        {
            _broken.Add((connection.Link.Number, connection.Name));
            if (_reporter is null && !_closed)
            {
                _reporter = new Thread(Report) { IsBackground = true, Name = "rcmp-reports" };
                _reporter.Start();
            }

            Monitor.PulseAll(_monitor);
        }
    }

    public void Dispose()
    {
        Thread? reporter;
        lock (_monitor)
        {
            _closed = true;
            foreach (var link in _links)
                link?.Dispose();
            Monitor.PulseAll(_monitor);
            reporter = _reporter;
        }

        // It reads guard slots, which are unmapped next.
        reporter?.Join();
    }

    private int FindSelf()
    {
        var slot = Volatile.Read(ref _selfSlot);
        if (view.ReadLink(slot) is { } known && known.Id.Owner.Rack == rack)
            return slot;
        for (slot = 0; slot < view.LinkSlots; slot++)
        {
            if (view.ReadLinkNumber(slot) == 0 || view.ReadLink(slot) is not { } link || link.Id.Owner.Rack != rack)
                continue;
            Volatile.Write(ref _selfSlot, slot);
            return slot;
        }

        return -1;
    }

    private void Report()
    {
        while (true)
        {
            (ulong LinkNumber, ulong Connection)[] todo;
            lock (_monitor)
            {
                _broken.RemoveAll(broken => slots.IsReleased(broken.Connection));
                while (_broken.Count == 0 && !_closed)
                    Monitor.Wait(_monitor);
                if (_closed)
                    return;
                todo = [.. _broken];
            }

            foreach (var (number, connection) in todo)
                control.Tell(new ReportConnection(session, MissTable.NewRequestId(), number, connection));
            lock (_monitor)
            {
                if (!_closed)
                    Monitor.Wait(_monitor, RepeatReport);
            }
        }
    }
}
